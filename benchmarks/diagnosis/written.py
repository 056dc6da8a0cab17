"""A sketch written down: the `Run` that a reader would hand over."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.noise import Floats
from benchmarks.diagnosis.sketch import Sketch
from trainlens.run import Chunk, Column, Ints, Run, unknown

_LOSS = ("loss", "train_loss", "train/loss")
_HELD = {"loss": "val_loss", "train_loss": "eval_loss", "train/loss": "val/loss"}
_RATE = ("lr", "learning_rate")
_START = 1.7e9
"""Unix time at which runs begin."""


def written(s: Sketch, name: str) -> Run:
    """The run, its loss rounded to 4 digits in one case of five, as many logs have it.

    Parameters
    ----------
    s : Sketch
    name : str
        Name of the run.
    """
    rng = s.rng
    loss = str(rng.choice(_LOSS))
    digits = 4 if rng.random() < 0.2 else 0
    wall = _times(s)
    kept = _order(s)
    columns = [_column(s, loss, kept, train_loss(s), wall, digits)]
    if len(s.evaluations):
        value = _valued(s, s.held, s.flutter)
        columns.append(_column(s, _HELD[loss], s.evaluations, value, wall, digits, aligned=True))
    if s.logs_rate:
        peak = 10.0 ** rng.uniform(-5, -1) if s.peak is None else s.peak
        columns.append(_column(s, str(rng.choice(_RATE)), kept, peak * s.shape.rate, wall, 6))
    for side, (at, value) in s.sides.items():
        columns.append(_column(s, side, at, value, wall, 0, aligned=True))
    run = Run(name, name, "synthetic")
    return run.extend(Chunk(tuple(columns), s.config, s.notices))


def train_loss(s: Sketch) -> Floats:
    """Values of the training loss, shape (n,)."""
    return _valued(s, s.shape.level, s.wobble)


def _valued(s: Sketch, level: Floats, wobble: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        if s.shape.crosses:
            return np.asarray(s.scale * (level + wobble))
        return np.asarray(s.scale * level * np.exp(wobble))


def _order(s: Sketch) -> Ints:
    """Points in the order of the log: as they come, or with a stretch done twice."""
    if s.resumes is None:
        return s.everywhere()
    cut, back = s.resumes
    return np.concatenate([np.arange(cut), np.arange(back, len(s))]).astype(np.int64)


def _times(s: Sketch) -> Floats:
    """Unix time of each point, NaN in half of all logs."""
    if s.pause is None and s.rng.random() < 0.5:
        return np.full(len(s), np.nan)
    each = np.diff(s.step, prepend=s.step[0] - 1) * 10.0 ** s.rng.uniform(-2, 0.5)
    passed = np.cumsum(each * np.exp(0.05 * s.rng.standard_normal(len(s))))
    if s.pause is not None:
        at, share = s.pause
        passed[at:] += max(share * passed[-1], 7200.0)
    return _START + passed


def _column(
    s: Sketch, name: str, at: Ints, value: Floats, wall: Floats, digits: int, aligned: bool = False
) -> Column:
    if not aligned:
        value = value[at]
    if digits:
        value = rounded(value, digits)
    n = len(at)
    epoch = s.epoch[at] if np.isfinite(s.epoch[:1]).all() else unknown(n)
    time = wall[at] if np.isfinite(wall[:1]).all() else unknown(n)
    return Column(name, s.step[at], np.asarray(value, np.float64), time, epoch)


def rounded(value: Floats, digits: int) -> Floats:
    """Values with so many significant digits, as ``%.4g`` prints them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(value)))
        unit = 10.0 ** (digits - 1 - np.where(np.isfinite(size), size, 0.0))
        return np.where(np.isfinite(value) & (value != 0), np.round(value * unit) / unit, value)
