"""Megabytes a second of the reader of text logs against a loop over a regular expression.

Run with ``python -m benchmarks text_decode``. Processor time, both ways in turn in one process,
best of three. The loop knows pairs of names and numbers and
nothing of steps, epochs, splits, bars and damage.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.csv_decode import Way, best_times, rows
from benchmarks.table import Row
from trainlens.readers._text.reader import TextLog

RNG = random.Random(1)
_PAIR = re.compile(r"([\w.]+)['\"]?\s?[=:]\s*([-+]?\d[\d.e+-]*|nan)")


def seed(i: int) -> str:
    """A count, a total, and names with ``=``."""
    return (
        f"{i * 10}/100000 lr={1e-4 * RNG.random():.4e} dropout=0.000 "
        f"total={RNG.random():.3f} loss_theta={RNG.random():.3f}\n"
    )


def detectron2(i: int) -> str:
    """Lines of detectron2."""
    losses = "  ".join(f"loss_{k}: {RNG.random():.4g}" for k in ("cls", "box_reg", "rpn_loc"))
    clock = f"0{i // 3600 % 10}:{i // 60 % 60:02}:{i % 60:02}"
    return (
        f"[01/02 {clock} d2.utils.events]:  eta: 0:10:00  iter: {i * 20}  "
        f"total_loss: {RNG.random():.4g}  {losses}  time: 0.3141  lr: {RNG.random():.5g}  "
        f"max_mem: 4321M\n"
    )


def mmengine(i: int) -> str:
    """Lines of MMEngine: a date, an epoch, a step of the epoch."""
    clock = f"{i // 360 % 24:02}:{i // 6 % 60:02}:{i % 6 * 10:02}"
    return (
        f"2023/06/01 {clock} - mmengine - INFO - Epoch(train) [{1 + i // 100}]"
        f"[{i % 100 * 10 + 10:4}/1000]  lr: {RNG.random():.4e}  eta: 1:02:03  "
        f"time: {RNG.random():.4f}  loss: {RNG.random():.4f}  acc: {RNG.random():.4f}\n"
    )


def hugging_face(i: int) -> str:
    """A dictionary as Python prints it, with an epoch and no step."""
    return (
        f"{{'loss': {RNG.random():.4f}, 'grad_norm': {RNG.random()}, "
        f"'learning_rate': {1e-5 * RNG.random()}, 'epoch': {i * 0.01:.2f}}}\n"
    )


def tqdm(i: int) -> str:
    """States of a bar with two metrics behind it."""
    k = i % 1000 + 1
    bar = "█" * (k // 100) + " " * (10 - k // 100)
    return (
        f"\rEpoch {i // 1000}: {k // 10:3}%|{bar}| {k}/1000 [00:{k % 60:02}<01:00, "
        f"{RNG.random() * 10:.2f}it/s, loss={RNG.random():.3f}, acc={RNG.random():.3f}]"
    ) + ("\n" if k == 1000 else "")


LOOP = "one regular expression"

KINDS: dict[str, Callable[[int], str]] = {
    "seed": seed,
    "detectron2": detectron2,
    "mmengine": mmengine,
    "hugging_face": hugging_face,
    "tqdm": tqdm,
}


def read_trainlens(path: Path) -> Any:
    """Read with the reader of this project."""
    return TextLog(path).poll(final=True).columns


def read_loop(path: Path) -> Any:
    """A loop over the lines with one regular expression for pairs."""
    found: dict[str, list[float]] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            for name, number in _PAIR.findall(line):
                try:
                    found.setdefault(name, []).append(float(number))
                except ValueError:
                    continue
    return found


def results(quick: bool = False) -> list[Row]:
    """Measure each kind of log.

    Parameters
    ----------
    quick : bool
        Small files, to see that all works.
    """
    ways: dict[str, Way] = {"trainlens": read_trainlens, LOOP: read_loop}
    found: list[Row] = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.log"
            size = write(path, kind, 0.5 if quick else 8)
            best = best_times(ways, path, 1 if quick else 3)
            found += rows(f"text, {kind}, {size:.0f} MB, CPU time", size, best, [LOOP])
    return found


def write(path: Path, kind: str, megabytes: float) -> float:
    """Write a log of about that size; its size in megabytes."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        i = 0
        while file.tell() < megabytes * 1e6:
            file.writelines(map(KINDS[kind], range(i, i + 1000)))
            i += 1000
    return path.stat().st_size / 1e6
