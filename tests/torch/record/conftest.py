"""Tests that kill processes, fill disks and open AIM repositories are still being hardened."""

import os

import pytest

UNDER_WAY = {
    "test_bad_disks.py",
    "test_kill_jsonl.py",
    "test_processes.py",
    "test_sink_aim.py",
    "test_sink_kills.py",
}


def pytest_collection_modifyitems(items):
    if os.environ.get("TRAINLENS_RECORDING"):
        return
    for item in items:
        if item.path.name in UNDER_WAY and item.path.parent.name == "record":
            item.add_marker(pytest.mark.skip(reason="set TRAINLENS_RECORDING=1 to run it"))
