"""Opening a log a second time, with the cache of decoded columns, and after it grew by 1 %."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.logs import NAMES, curves, write_events, write_jsonl
from benchmarks.table import Row


def write_csv(path: Path, rows: int, metrics: int = 3, *, seed: int = 0) -> Path:
    """A table with a step and `metrics` values a row."""
    values = curves(rows, metrics, seed).tolist()
    lines = (f"{step},{','.join(map(repr, row))}\n" for step, row in enumerate(values))
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(("step", *NAMES[:metrics])) + "\n")
        file.writelines(lines)
    return path


FORMATS: dict[str, tuple[str, Callable[..., Path]]] = {
    "JSON Lines": ("run.jsonl", write_jsonl),
    "TensorBoard": ("events.out.tfevents.1700000000.host", write_events),
    "CSV": ("metrics.csv", write_csv),
}


def results(quick: bool = False) -> list[Row]:
    """Two rows a format: the file as it was, and grown."""
    rows = 30_000 if quick else 333_000
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["TRAINLENS_CACHE"] = str(Path(place) / "cache")
        for form, (name, write) in FORMATS.items():
            folder = Path(place) / form
            folder.mkdir()
            path = write(folder / name, rows)
            found += _of_format(f"{form}, {rows * 3:,} points", path)
    return found


def _of_format(work: str, path: Path) -> Iterator[Row]:
    data = path.read_bytes()
    cut = data.rfind(b"\n", 0, len(data) * 99 // 100) + 1
    open_seconds(path, cache=False)  # what is imported at the first opening counts for neither
    first = min(open_seconds(path, cache=False) for _ in range(3))
    writing = open_seconds(path, cache=True)
    again = min(open_seconds(path, cache=True) for _ in range(5))
    note = f"the opening that fills the cache: {writing:.3f} s"
    yield Row(f"{work}, opened again", "first opening", first, again, ">= 5x", note)
    path.write_bytes(data[:cut])
    open_seconds(path, cache=True)
    with open(path, "ab") as file:
        file.write(data[cut:])
    grown = open_seconds(path, cache=True)
    yield Row(f"{work}, opened after it grew by 1 %", "first opening", first, grown)


def open_seconds(path: Path, *, cache: bool) -> float:
    """Seconds of `trainlens.load`."""
    import trainlens

    begin = time.perf_counter()
    trainlens.load(path, cache=cache)
    return time.perf_counter() - begin
