"""The same with processes that are killed by SIGKILL, and a log beside the checkpoint."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.torch.resume.killed import main  # noqa: E402 - after the skip
from tests.torch.resume.test_resume import same  # noqa: E402
from tests.torch.resume.training import UPDATES  # noqa: E402

ROOT = Path(__file__).parents[3]


def run(folder, die_at, place):
    command = [sys.executable, "-m", "tests.torch.resume.killed", str(folder), str(die_at), place]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)


def records(folder):
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_three_deaths_leave_no_trace(tmp_path, request):
    request.addfinalizer(lambda: torch.use_deterministic_algorithms(False))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    main(whole, 0, "never")
    for die_at, place in ((3, "before"), (4, "within"), (9, "after")):
        assert run(killed, die_at, place).returncode == -signal.SIGKILL
    last = run(killed, 0, "never")
    assert last.returncode == 0, last.stderr.decode()

    weights = [torch.load(folder / "weights", weights_only=True) for folder in (killed, whole)]
    same(*weights)
    expected = {record.pop("step"): record for record in records(whole)}
    seen = [(record.pop("step"), record) for record in records(killed)]
    assert {step for step, _ in seen} == set(range(UPDATES))
    assert len(seen) == UPDATES + 2, "what was logged but not saved was trained and logged again"
    for step, record in seen:
        assert record["losses"] == expected[step]["losses"]
        assert record["stats"] == expected[step]["stats"]
