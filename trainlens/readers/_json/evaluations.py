"""Evaluations of MMEngine, whose step counts epochs where that of the training counts iterations.

``{"loss": .., "epoch": 2, "iter": 138, "step": 138}`` is a row of the training, and
``{"accuracy/top1": .., "step": 2}`` one of the evaluation behind the second epoch.
"""

from __future__ import annotations

import numpy as np

from trainlens.chunk import Floats, Ints
from trainlens.readers._json.axes import Fields, Flags

_OF_TRAINING = ("lr", "base_lr", "loss", "memory", "grad_norm")


class Evaluations:
    """Puts evaluations where the training stood; what came before decides, not how it was cut."""

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None

    @property
    def begun(self) -> bool:
        """Whether rows of a training of this dialect have come."""
        return self._last is not None

    def find(self, fields: Fields) -> tuple[Flags, Flags] | None:
        """Rows of the training and of evaluations, each of shape (n,); None for another dialect.

        Parameters
        ----------
        fields : Fields
            Before the steps are taken out.
        """
        if not fields.has("step") or (self._last is None and not fields.has("iter")):
            return None
        counted = fields.holds("iter")
        training = counted & fields.agree("iter", "step")
        evaluation = fields.holds("step") & ~counted & ~fields.holds("epoch")
        for key in _OF_TRAINING:
            evaluation &= ~fields.holds(key)
        return training, evaluation

    def __call__(
        self, step: Ints, epoch: Floats | None, rows: tuple[Flags, Flags]
    ) -> tuple[Ints, Floats | None, Flags]:
        """Steps and epochs of n rows, with those of evaluations on the axis of the training.

        Parameters
        ----------
        step : ndarray of int64, shape (n,)
        epoch : ndarray of float64, shape (n,), or None
        rows : pair of ndarray of bool, shape (n,)
            As `find` gave them.

        Returns
        -------
        step, epoch : ndarray, shape (n,)
        evaluation : ndarray of bool, shape (n,)
            Rows that stand behind a training and are none of its rows.
        """
        training, evaluation = rows
        before = self._last
        places = np.flatnonzero(training)
        known = np.full(len(step), np.nan) if epoch is None else epoch.copy()
        moved = step.copy()
        found = np.zeros(len(step), bool)
        behind = np.searchsorted(places, np.flatnonzero(evaluation)) - 1
        for at, k in zip(np.flatnonzero(evaluation).tolist(), behind.tolist(), strict=True):
            last = (int(step[places[k]]), float(known[places[k]])) if k >= 0 else before
            if last is not None:
                found[at] = True
                if (place := _place(int(step[at]), *last)) is not None:
                    moved[at], known[at] = place, step[at]
        if len(places):
            self._last = int(step[places[-1]]), float(known[places[-1]])
        return moved, None if np.isnan(known).all() else known, found


def _place(count: int, last_step: int, last_epoch: float) -> int | None:
    """Step at the end of epoch number `count`; None where that number is a step of its own."""
    if not np.isfinite(last_epoch) or last_epoch < 1 or not 0 <= count < last_step:
        return None
    late = count - int(last_epoch)
    # Epochs shorter than the interval of the training's rows may have ended since the last one.
    if late > last_epoch + 1:
        return None
    return last_step + max(late, 0) * (last_step // int(last_epoch))
