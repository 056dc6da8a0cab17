"""Megabytes a second of the reader of tables against other ways to read the same file.

Run with ``python -m benchmarks csv_decode``. Processor time, all ways in turn in one process, best
of five; why a way has no figure is said.
"""

from __future__ import annotations

import importlib
import math
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from trainlens.readers._csv.reader import CsvLog

Way = Callable[[Path], Any]
RNG = random.Random(1)


def _row(*cells: object) -> str:
    return ",".join(map(str, cells))


def lightning(i: int) -> str:
    """Training and validation in rows of their own: half of the cells are empty."""
    if i % 10 == 9:
        return _row(i // 100, "", i * 50, "", RNG.random())
    return _row(i // 100, 1e-4 * RNG.random(), i * 50, RNG.random(), "")


def keras(i: int) -> str:
    """Four numbers an epoch."""
    return _row(i, *(RNG.random() for _ in range(4)))


def yolo(i: int) -> str:
    """Cells padded to twenty characters."""
    return ",".join([f"{i:>20}", *(f"{RNG.random():>20.5g}" for _ in range(6))])


def wandb(i: int) -> str:
    """Every cell in quotes."""
    return _row(*(f'"{cell}"' for cell in (i, RNG.random(), RNG.random())))


def quoted(i: int) -> str:
    """A column of texts in quotes."""
    return _row(i, RNG.random(), f'"a, note {i % 7}"', RNG.random())


def dated(i: int) -> str:
    """A column of dates."""
    clock = f"{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}"
    return _row(i, RNG.random(), RNG.random(), f"2024-01-01 {clock}")


def odd(i: int) -> str:
    """An odd line in every thousand."""
    return "# a comment" if i % 1000 == 500 else _row(i, RNG.random(), RNG.random())


KINDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "lightning": ("epoch,lr,step,train_loss,val_loss", lightning),
    "keras": ("epoch,accuracy,loss,val_accuracy,val_loss", keras),
    "yolo": (_row(*(f"{name:>20}" for name in ["epoch", "loss", "a", "b", "c", "d", "e"])), yolo),
    "wandb": ('"Step","run - loss","run - accuracy"', wandb),
    "quoted": ("step,loss,note,accuracy", quoted),
    "dated": ("step,loss,accuracy,time", dated),
    "odd": ("step,loss,accuracy", odd),
}


def read_trainlens(path: Path) -> Any:
    """Read with the reader of this project."""
    return CsvLog(path).poll(final=True).columns


def read_pandas(path: Path) -> Any:
    """Read with the C parser of pandas."""
    pandas = importlib.import_module("pandas")
    return pandas.read_csv(path, comment="#", skipinitialspace=True)


def read_pyarrow(path: Path) -> Any:
    """Read with pyarrow on one thread."""
    arrow = importlib.import_module("pyarrow.csv")
    return arrow.read_csv(path, read_options=arrow.ReadOptions(use_threads=False))


def read_polars(path: Path) -> Any:
    """Read with polars."""
    return importlib.import_module("polars").read_csv(path, comment_prefix="#")


WAYS: dict[str, Way] = {
    "trainlens": read_trainlens,
    "pandas": read_pandas,
    "pyarrow": read_pyarrow,
    "polars": read_polars,
}


def write(path: Path, kind: str, megabytes: float) -> float:
    """Write a file of about that size; its size in megabytes."""
    header, row = KINDS[kind]
    with open(path, "w", encoding="utf-8") as file:
        file.write(header + "\n")
        i = 0
        while file.tell() < megabytes * 1e6:
            file.writelines(row(k) + "\n" for k in range(i, i + 1000))
            i += 1000
    return path.stat().st_size / 1e6


def best_times(ways: dict[str, Way], path: Path, repeat: int) -> dict[str, float]:
    """Seconds of processor time of the fastest of `repeat` rounds, a way."""
    best: dict[str, float] = {}
    for name in list(ways) * repeat:
        begin = time.process_time()
        try:
            ways[name](path)
        # Each library is absent or refuses a file with an error class of its own.
        except Exception:
            continue
        best[name] = min(best.get(name, float("inf")), time.process_time() - begin)
    return best


def rows(work: str, size: float, best: dict[str, float], peers: Sequence[str]) -> list[Row]:
    """The rates of one file, against each peer."""
    ours = best["trainlens"]
    note = f"{size / ours:.0f} MB/s"
    return [
        Row(work, peer, best.get(peer, math.nan), ours, note=note + _why(peer, best))
        for peer in peers
    ]


def _why(peer: str, best: dict[str, float]) -> str:
    return "" if peer in best else f"; {peer} is not installed or refuses it"


def results(quick: bool = False) -> list[Row]:
    """Measure each kind of table.

    Parameters
    ----------
    quick : bool
        Small files, to see that all works.
    """
    found: list[Row] = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "metrics.csv"
            size = write(path, kind, 0.5 if quick else 16)
            best = best_times(WAYS, path, 1 if quick else 5)
            found += rows(f"CSV, {kind}, {size:.0f} MB, CPU time", size, best, list(WAYS)[1:])
    return found
