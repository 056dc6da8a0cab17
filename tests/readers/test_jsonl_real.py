"""Logs of other programs: exactly the points that a plain loop over the lines finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainlens.readers import jsonl
from trainlens.readers._json.reader import JsonLines
from trainlens.run import Run

REAL = Path(__file__).resolve().parents[3] / "shared" / "real_logs"
PATTERNS = (
    "jsonl/**/*.jsonl",
    "jsonl/**/log.txt",
    "detectron2/**/metrics.json",
    "mmengine/**/*.json",
)
FILES = [p for pattern in PATTERNS for p in sorted(REAL.glob(pattern))]
COUNTERS = ("step", "iteration")

pytestmark = pytest.mark.skipif(not FILES, reason="the real logs are not here")


def loop(path: Path) -> tuple[int, dict[str, list[tuple[int, float]]]]:
    """Number of records, and points by name."""
    points: dict[str, list[tuple[int, float]]] = {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    training = None
    for row in rows:
        step = next((row[k] for k in COUNTERS if k in row), None)
        at = int(row["epoch"] if step is None else step)
        if "iter" in row:
            training = at
        elif training is not None:
            at = training  # an evaluation of MMEngine, whose step counts epochs
        for key, value in row.items():
            if key not in (*COUNTERS, "epoch", "iter") and isinstance(value, (int, float)):
                points.setdefault(key, []).append((at, float(value)))
    return len(rows), points


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_points_of_a_plain_loop(path: Path) -> None:
    assert jsonl.sniff(path) == 0.9
    chunk = JsonLines(path).poll(final=True)
    found: dict[str, list[tuple[int, float]]] = {}
    for c in chunk.columns:
        found.setdefault(c.name, []).extend(zip(c.step.tolist(), c.value.tolist(), strict=True))
    expected = loop(path)[1]
    assert {k: sorted(v) for k, v in found.items()} == {k: sorted(v) for k, v in expected.items()}
    if "mmengine" not in path.parts:
        assert found == expected
    assert not [n for n in chunk.notices if n.kind != "assumed"]


@pytest.mark.parametrize(
    ("folder", "records"),
    [("jsonl/asrafulashiq__deit", 373), ("jsonl/yap-cod__dreamerv3", 16381),
     ("detectron2", 139), ("mmengine", 1840)],
)  # fmt: skip
def test_as_many_records_as_the_index_says(folder: str, records: int) -> None:
    files = [p for p in FILES if p.is_relative_to(REAL / folder)]
    total = 0
    for path in files:
        reader = JsonLines(path)
        reader.poll(final=True)
        total += reader.records
    assert total == records == sum(loop(path)[0] for path in files)


def run(path: Path) -> Run:
    return Run("x", str(path), "jsonl").extend(JsonLines(path).poll(final=True))


def test_five_runs_in_one_file_are_five_attempts() -> None:
    (path,) = REAL.glob("detectron2/*/output/metrics.json")
    assert run(path)["total_loss"].attempts == 5


def test_three_runs_in_one_file_are_three_attempts() -> None:
    (path,) = REAL.glob("jsonl/*/results/metrics.jsonl")
    assert run(path)["episode/score"].attempts == 3


def test_evaluations_lie_where_their_epoch_ended() -> None:
    (path,) = REAL.glob("mmengine/*/vis_data/scalars.json")
    found = run(path)
    train, val = found["loss"], found["accuracy/top1", "val"]
    assert train.attempts == val.attempts == 1
    assert val.step.tolist() == train.step.tolist() == [69 * (i + 1) for i in range(59)]
    assert val.epoch.tolist() == train.epoch.tolist() == [float(i + 1) for i in range(59)]
    (path,) = REAL.glob("mmengine/*/2*/vis_data/scalars.json")
    found = run(path)
    # Six iterations an epoch, one evaluation every ten epochs.
    assert found["NME", "val"].step.tolist() == [60 * (i + 1) for i in range(13)]
    assert found["NME", "val"].epoch.tolist() == [10.0 * (i + 1) for i in range(13)]


def test_a_reporting_array() -> None:
    path = next(iter(sorted(REAL.glob("chainer/*/result/log"))))
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    found = {c.name: c for c in JsonLines(path).poll(final=True).columns}
    assert found["main/loss"].step.tolist() == [row["iteration"] for row in rows]
    assert found["main/loss"].value.tolist() == [row["main/loss"] for row in rows]
    assert len(found["validation/main/loss"].value) == 3
    named = run(path)
    assert len(named["loss"]) == len(rows)
    assert named["loss", "val"].value.tolist() == [
        row["validation/main/loss"] for row in rows if "validation/main/loss" in row
    ]


def test_other_formats_are_not_claimed() -> None:
    mine = ("jsonl/", "detectron2/", "mmengine/", "chainer/")
    others = [
        p for p in REAL.rglob("*") if p.is_file() and not str(p.relative_to(REAL)).startswith(mine)
    ]
    assert [p for p in others if jsonl.sniff(p)] == []
