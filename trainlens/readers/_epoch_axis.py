"""Validation that counts epochs while training counts steps, put on the axis of the training.

Many training loops write ``writer.add_scalar("val/loss", x, epoch)`` beside
``writer.add_scalar("train/loss", x, step)``: on one axis all of validation then lies at the very
beginning. The clock, or the epochs that the training logs, tell where its points belong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints, Notice
from trainlens.run import Run, Series

_FEWEST = 3
_RATIO = 5
"""A training goes at least this many steps an epoch, else the two counts cannot be told apart."""

_SHARE = 0.8


def on_training_axis(run: Run) -> Run:
    """A run whose series all count the steps of the training, as far as that can be told.

    A series counts epochs where its steps are consecutive small numbers, and its points were
    written when the training stood far behind that step: by the wall times of both, or, where
    there are none, by the epochs of the training. Its points move to the step at which the
    training stood; the count of epochs is kept as their epoch; a notice says so.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Run
        The same object where nothing is to be moved.
    """
    training = _training(run)
    if training is None:
        return run
    moved = {}
    for key, series in run.series.items():
        place = _place(series, training) if series is not training else None
        if place is not None:
            epoch = np.where(np.isnan(series.epoch), series.step.astype(np.float64), series.epoch)
            moved[key] = replace(series, step=place, epoch=epoch)
    if not moved:
        return run
    names = sorted(f"{split}/{metric}" for metric, split in moved)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    text = f"{shown}: count epochs; placed at the training step of that moment"
    notice = Notice("assumed", run.name, text, 0)
    return replace(run, series={**run.series, **moved}, notices=(*run.notices, notice))


def _training(run: Run) -> Series | None:
    """The series that counts the steps of the training: the longest of a train split."""
    held = [s for s in run.training_series if s.split == "train" and len(s) >= _FEWEST]
    longest = max(held, key=lambda s: (int(s.step.max()), len(s)), default=None)
    return longest if longest is not None and int(longest.step.max()) > 2 * _RATIO else None


def _place(series: Series, training: Series) -> Ints | None:
    if len(series) < _FEWEST:
        return None
    if int(series.step.max() + 1) * _RATIO > int(training.step.max()):
        return None
    if not _counts_up(series.step):
        return None
    if not (np.isnan(series.wall_time).any() or np.isnan(training.wall_time).any()):
        return _by(series.wall_time, training.wall_time, series, training)
    if np.isnan(training.epoch).any():
        return None
    last = float(training.epoch.max())
    counted = series.epoch if not np.isnan(series.epoch).any() else series.step.astype(np.float64)
    if abs(float(series.step.max()) - last) > 1.5 or float(counted.max()) > last + 1.5:
        return None
    # An evaluation of epoch k comes at its end: before the first step of the next one.
    return _by(np.floor(counted) + 1 - 1e-9, training.epoch, series, training)


def _counts_up(step: Ints) -> bool:
    rises = np.diff(step)
    return bool(step[0] in (0, 1, 2) and np.all(rises <= 1) and np.mean(rises == 1) >= _SHARE)


def _by(
    mine: Floats | NDArray[np.float64], theirs: Floats, series: Series, training: Series
) -> Ints | None:
    """Where the training stood, by a quantity that both have; None where that is no evidence."""
    order = np.argsort(theirs, kind="stable")
    at = np.searchsorted(theirs[order], mine, side="right") - 1
    place = training.step[order[np.maximum(at, 0)]]
    behind = place > _RATIO * np.maximum(series.step, 1)
    return place if np.mean(behind) >= _SHARE else None
