"""What a shell offers at the Tab key, and output that has no room, through the real command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.monitor.growing import add, record
from trainlens import cli, readers
from trainlens.cli import _complete
from trainlens.plots._comparing import comparison_plots
from trainlens.plots.base import available
from trainlens.rules import PROFILES, all_rules


def _offered(*words):
    """Kinds and values of what is offered for the last word, which is begun."""
    told = CliRunner().invoke(
        cli.cli,
        prog_name="trainlens",
        env={
            "_TRAINLENS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["trainlens", *words]),
            "COMP_CWORD": str(len(words)),
        },
    )
    return [tuple(line.split(",", 1)) for line in told.stdout.splitlines() if line]


def _values(*words):
    return [value for _, value in _offered(*words)]


@pytest.mark.parametrize("words", [["rules"], ["diagnose", "--select"], ["report", "--ignore"]])
def test_every_rule(words):
    assert _values(*words, "") == sorted(all_rules())


def test_rules_that_are_begun():
    assert _values("prescribe", "--rule", "over") == ["overfitting"]


def test_every_picture_and_every_profile():
    pictures = {"list", *available(), *comparison_plots()}
    assert set(_values("plot", "--kind", "")) == pictures
    assert _values("diagnose", "--profile", "") == sorted(PROFILES)


def test_rules_and_then_their_settings():
    assert {f"{name}." for name in all_rules()} == set(_values("diagnose", "--set", ""))
    offered = _values("diagnose", "--set", "loss-spike.")
    assert offered == sorted(f"loss-spike.{name}=" for name in all_rules()["loss-spike"].defaults)
    assert _values("diagnose", "--set", "nonsense.") == []


def test_metrics_of_the_paths_that_are_given(tmp_path):
    log = tmp_path / "a.jsonl"
    add(log, *(record(s, 1.0, grad_norm=2.0) for s in range(9)), record(9, 1.0, split="val"))
    wanted = {"grad_norm", "train/grad_norm", "total", "train/total", "val/total"}
    for path in (log, tmp_path):
        assert set(_values("plot", str(path), "--metric", "")) == wanted
        assert _values("compare", str(path), "--metric", "val") == ["val/total"]
    assert _values("plot", str(tmp_path / "no"), "--metric", "") == []
    assert _values("plot", "--metric", "") == []


@pytest.mark.parametrize("limit", ["_MOST_BYTES", "_MOST_FILES"])
def test_nothing_large_is_read_for_a_tab_key(tmp_path, monkeypatch, limit):
    add(tmp_path / "a.jsonl", record(0, 1.0))
    monkeypatch.setattr(_complete, limit, 1)
    monkeypatch.setattr(readers, "load", lambda *_: pytest.fail("it was read"))
    assert _values("plot", str(tmp_path), "--metric", "") == []


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["diagnose"], "file"),
        (["monitor"], "file"),
        (["compare", "a", "-o"], "file"),
        (["export", "a", "-o"], "file"),
        (["baseline", "check", "--expect"], "file"),
        (["report", "a", "-o"], "dir"),
    ],
)
def test_paths_are_left_to_the_shell(words, kind):
    assert _offered(*words, "lo") == [(kind, "lo")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_in_bash(tmp_path):
    command = tmp_path / "trainlens"
    command.write_text(f"#!{sys.executable}\nfrom trainlens.cli import main\nmain()\n")
    command.chmod(0o755)
    script = """
eval "$(_TRAINLENS_COMPLETE=bash_source trainlens)"
COMP_WORDS=(trainlens diagnose --select overf) COMP_CWORD=3
_trainlens_completion trainlens
printf '%s\\n' "${COMPREPLY[@]}"
"""
    there = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}",
             "PYTHONPATH": str(Path(cli.__file__).parents[2])}  # fmt: skip
    done = subprocess.run(["bash", "-c", script], env=there, capture_output=True, text=True)
    assert done.stdout.split() == ["overfitting"], done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["rules"], ["rules", "--json"]])
def test_output_without_room_is_one_clear_line(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trainlens", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    line = "trainlens: the output cannot be written: No space left on device; "
    assert done.stderr == line + "free space where it goes\n"
