"""Writing a small log: rounded numbers, a clock of its own, packed."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainlens_torch.record.jsonl import JsonlSink

DIGITS = 5
_OTHER = {"weight_norm": 9, "lr": 7, "batch_time": 3, "grad_norm": 4}
"""Digits of what is judged by its last ones, or not by them at all."""
_BEGIN = 1_700_000_000.0


class Log:
    """A native log with a clock that training moves on, so that it is the same each time.

    Parameters
    ----------
    name : str
        Of the run.
    config, schedules : mapping, optional
        For the header.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any] | None = None,
        schedules: Mapping[str, Any] | None = None,
    ) -> None:
        self.now = _BEGIN
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "run.jsonl"
        self._sink = JsonlSink(self._path, name, config, schedules, lambda: round(self.now, 1))

    def write(
        self,
        step: int,
        loss: float,
        stats: Mapping[str, float],
        *,
        split: str = "train",
        epoch: float | None = None,
    ) -> None:
        """One record, its numbers rounded."""
        held = {name: rounded(value, name) for name, value in stats.items()}
        when = None if epoch is None else round(epoch, 4)
        self._sink.log(step, {"loss": rounded(loss)}, held, split=split, epoch=when)

    def pack(self, path: Path) -> None:
        """Close the log and store it compressed."""
        self._sink.close()
        with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write(self._path.read_bytes())
        self._folder.cleanup()


def rounded(value: float, name: str = "") -> float:
    """A value to the digits that the logs keep."""
    return float(f"{float(value):.{_OTHER.get(name.partition('/')[0], DIGITS)}g}")


class Pace:
    """Seconds of each step, from a seed instead of a clock.

    Parameters
    ----------
    seed : int
    usual : float
        Seconds of a usual step.
    """

    def __init__(self, seed: int, usual: float = 0.05) -> None:
        self._rng, self.usual = np.random.default_rng(seed), usual

    def __call__(self, step: int) -> float:
        """Seconds of one step: 4 % of scatter, a few slower ones, the first ones slowest."""
        slow = 1.6 if self._rng.random() < 0.01 else 1.0
        first = 1 + 8 * (step <= 1)
        return float(self.usual * first * slow * np.exp(0.04 * self._rng.standard_normal()))
