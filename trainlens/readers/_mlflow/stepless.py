"""Metrics that were logged without a step: MLflow writes 0 for each of their points."""

from __future__ import annotations

import numpy as np

from trainlens.chunk import Ints


class ZeroSteps:
    """Counts the points of one metric for as long as all of them stand at step 0.

    What comes out depends on the order of the points alone, not on how they are cut into polls.
    """

    def __init__(self) -> None:
        self.counted = False
        self._points = 0
        self._all_zero = True

    def __call__(self, step: Ints) -> Ints:
        """Steps of the next n points, shape (n,): their numbers in place of the zeros."""
        if not self._all_zero:
            return step
        other = np.flatnonzero(step)
        zeros = int(other[0]) if len(other) else len(step)
        result = step.copy()
        result[:zeros] = np.arange(self._points, self._points + zeros)
        self._points += zeros
        self._all_zero = not len(other)
        self.counted = self.counted or self._points > 1
        return result
