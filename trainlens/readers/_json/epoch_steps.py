"""Steps that count within an epoch, as in ``{"epoch": 2, "iter": 50}`` of MMCV 1.x."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints

Flags = NDArray[np.bool_]


class EpochSteps:
    """Makes steps run on over the epochs, once they are seen to start again with one.

    A step that falls while the epoch rises counts within the epoch; a restart of a training
    lets both fall. How long an epoch is, is known by then: its last step and one interval.
    What comes out depends on the order of the records alone, not on how they are cut into polls.
    """

    def __init__(self) -> None:
        self._first: int | None = None
        self._last: tuple[int, int] | None = None
        self._interval = 1
        self._length: int | None = None

    def __call__(self, step: Ints, known: Flags, epoch: Floats | None) -> Ints:
        """Steps over all epochs, shape (n,), of the next n records.

        Parameters
        ----------
        step : ndarray of int64, shape (n,)
        known : ndarray of bool, shape (n,)
            Where `step` holds a step of the training.
        epoch : ndarray of float64, shape (n,), or None
            NaN where unknown.
        """
        if epoch is None:
            return step
        rows = np.flatnonzero(known & np.isfinite(epoch) & (np.abs(np.nan_to_num(epoch)) < 1e9))
        if not len(rows):
            return step
        raw, whole = step[rows], np.floor(epoch[rows]).astype(np.int64)
        self._first = int(whole[0]) if self._first is None else self._first
        begin = 0
        if self._length is None:
            begin = self._find(raw, whole)
        self._last = int(raw[-1]), int(whole[-1])
        if self._length is None:
            return step
        result = step.copy()
        late = slice(begin, None)
        passed = np.maximum(whole[late] - self._first, 0)
        result[rows[late]] = raw[late] + passed * self._length
        return result

    def one(self, step: int, epoch: float) -> int:
        """The same for one record of the training that has a step and an epoch."""
        if not (math.isfinite(epoch) and abs(epoch) < 1e9):
            return step
        whole = math.floor(epoch)
        self._first = whole if self._first is None else self._first
        late = self._length is not None
        if not late and self._last is not None:
            before, epoch_before = self._last
            late = step <= before and whole > epoch_before
            if late:
                self._length = self._length_at(before, epoch_before)
            elif step > before:
                self._interval = step - before
        self._last = step, whole
        return step + max(whole - self._first, 0) * (self._length or 0) if late else step

    def _length_at(self, step: int, epoch: int) -> int:
        """Steps of an epoch, where the last one before the count begins again is known."""
        epochs_per = max(epoch - (self._first or 0) + 1, 1)
        return -(-(step + self._interval) // epochs_per)

    def _find(self, raw: Ints, whole: Ints) -> int:
        """Look for the first step that starts again; its place, the number of rows for none."""
        before = [] if self._last is None else [self._last]
        steps = np.append(np.array([s for s, _ in before], np.int64), raw)
        epochs = np.append(np.array([e for _, e in before], np.int64), whole)
        again = np.flatnonzero((steps[1:] <= steps[:-1]) & (epochs[1:] > epochs[:-1]))
        stop = int(again[0]) + 1 if len(again) else len(steps)
        rises = np.diff(steps[:stop])
        rises = rises[rises > 0]
        self._interval = int(rises[-1]) if len(rises) else self._interval
        if not len(again):
            return len(raw)
        self._length = self._length_at(int(steps[stop - 1]), int(epochs[stop - 1]))
        return stop - len(before)
