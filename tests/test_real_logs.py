"""Other people's logs, through the whole of trainlens; skipped where they are absent."""

import json
import subprocess
import sys

import pytest

import trainlens


@pytest.fixture(scope="module")
def everything(real_logs):
    return trainlens.load(real_logs)


def test_ls_goes_through_all_of_it(real_logs):
    ran = subprocess.run(
        [sys.executable, "-m", "trainlens", "ls", str(real_logs)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr
    assert len(ran.stdout.splitlines()) > 50


def test_names_are_unique(everything):
    names = [run.name for run in everything]
    assert len(set(names)) == len(names)


def test_every_run_can_be_judged(everything):
    for run in everything:
        found = trainlens.diagnose(run)
        assert found.verdict in ("healthy", "warning", "failing", "inconclusive")


def test_lfs_pointers_are_named(everything):
    pointers = [n for n in everything.notices if n.kind == "lfs-pointer"]
    runs = [n for run in everything for n in run.notices if n.kind == "lfs-pointer"]
    assert len(pointers) + len(runs) == 12


def test_five_appended_detectron_runs_are_five_attempts(real_logs):
    folder = real_logs / "detectron2"
    runs = [r for r in trainlens.load(folder) if r.format == "jsonl"]
    assert max(r.attempts for r in runs) == 5


def test_dreamer_is_three_runs_in_one_file(everything):
    (run,) = [r for r in everything if r.source.endswith("yap-cod__dreamerv3/metrics.jsonl")
              or (r.source.endswith("/metrics.jsonl") and "dreamerv3" in r.source)]  # fmt: skip
    assert run.attempts == 3


def test_record_counts_of_json_lines(everything, real_logs):
    """Every complete JSON object with a number in it gives at least one point."""
    for run in everything:
        if run.format != "jsonl" or "mmengine" in run.source:
            continue
        with open(run.source, "rb") as file:
            text = file.read()
        if text.lstrip().startswith(b"["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        numeric = [r for r in rows if any(isinstance(v, float) for v in r.values())]
        assert max(len(s) for s in run.series.values()) <= len(rows)
        assert run.points >= len(numeric)
