"""Opening a log a second time, with the cache of decoded columns, and after it grew by 1 %."""

from __future__ import annotations

import importlib.util
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.aim_decode import METRICS as METRICS_OF_AIM
from benchmarks.aim_decode import write_repository
from benchmarks.logs import NAMES, curves, write_events, write_jsonl
from benchmarks.table import Row
from benchmarks.wandb_log import write_wandb


def write_csv(path: Path, rows: int, metrics: int = 3, *, seed: int = 0) -> Path:
    """A table with a step and `metrics` values a row."""
    values = curves(rows, metrics, seed).tolist()
    lines = (f"{step},{','.join(map(repr, row))}\n" for step, row in enumerate(values))
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(("step", *NAMES[:metrics])) + "\n")
        file.writelines(lines)
    return path


FORMATS: dict[str, tuple[str, Callable[..., Path], int]] = {
    "JSON Lines": ("run.jsonl", write_jsonl, 1),
    "TensorBoard": ("events.out.tfevents.1700000000.host", write_events, 1),
    "CSV": ("metrics.csv", write_csv, 1),
    "W&B": ("run-abc123.wandb", write_wandb, 3),
}
"""Name of the file, what writes it, and by how much its rows are fewer: some writing takes long."""

METRICS = 3
_GOAL = ">= 5x"


def results(quick: bool = False) -> list[Row]:
    """Two rows a format: the file as it was, and grown; of AIM's stores the first only."""
    rows = 30_000 if quick else 333_000
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["TRAINLENS_CACHE"] = str(Path(place) / "cache")
        for form, (name, write, part) in FORMATS.items():
            folder = Path(place) / form
            folder.mkdir()
            path = write(folder / name, rows // part, METRICS)
            work = f"{form}, {rows // part * METRICS:,} points"
            found += [_again(work, path), _grown(work, path)]
        found.append(_aim(Path(place) / "AIM", 1_000 if quick else 10_000))
    return found


def _aim(folder: Path, points: int) -> Row:
    work = f"AIM, {METRICS_OF_AIM * points:,} points"
    if importlib.util.find_spec("aim") is None:
        row = f"{work}, opened again"
        return Row(row, "first opening", math.nan, math.nan, _GOAL, "AIM is not installed")
    folder.mkdir()
    write_repository(folder, points)
    return _again(work, folder)


def _again(work: str, path: Path) -> Row:
    open_seconds(path, cache=False)  # what is imported at the first opening counts for neither
    first = min(open_seconds(path, cache=False) for _ in range(3))
    writing = open_seconds(path, cache=True)
    again = min(open_seconds(path, cache=True) for _ in range(5))
    note = f"the opening that fills the cache: {writing:.3f} s"
    return Row(f"{work}, opened again", "first opening", first, again, _GOAL, note)


def _grown(work: str, path: Path) -> Row:
    data = path.read_bytes()
    first = min(open_seconds(path, cache=False) for _ in range(3))
    cut = data.rfind(b"\n", 0, len(data) * 99 // 100) + 1
    path.write_bytes(data[:cut])
    open_seconds(path, cache=True)
    with open(path, "ab") as file:
        file.write(data[cut:])
    grown = open_seconds(path, cache=True)
    return Row(f"{work}, opened after it grew by 1 %", "first opening", first, grown)


def open_seconds(path: Path, *, cache: bool) -> float:
    """Seconds of `trainlens.load`."""
    import trainlens

    begin = time.perf_counter()
    trainlens.load(path, cache=cache)
    return time.perf_counter() - begin
