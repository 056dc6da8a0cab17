"""How fast a run goes, by the clock of the monitor or by the times in its log."""

from __future__ import annotations

import math
from collections import deque

from trainlens.chunk import Column

_KEPT, _SPAN = 64, 600.0
"""So many marks, none older than so many seconds, unless there are fewer than two."""
_LOGGED = 200
"""Points of a log from whose times a first rate is taken."""


class Pace:
    """Steps a second over the last minutes."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=_KEPT)
        self._logged: float | None = None

    def take(self, tick: float, step: int, column: Column | None) -> None:
        """Note how far the run is.

        Parameters
        ----------
        tick : float
            Seconds of a clock that never jumps.
        step : int
        column : Column or None
            New points of a training metric.
        """
        if self._marks and step < self._marks[-1][1]:
            self._marks.clear()  # it was started again
        self._marks.append((tick, step))
        while len(self._marks) > 2 and tick - self._marks[0][0] > _SPAN:
            self._marks.popleft()
        if column is not None and len(column.step) > 1:
            self._logged = _by_times(column) or self._logged

    @property
    def rate(self) -> float | None:
        """Steps a second; None where neither clock tells."""
        if len(self._marks) > 2:
            (t0, s0), (t1, s1) = self._marks[0], self._marks[-1]
            # The first mark stands for everything that was there already.
            (t0, s0) = self._marks[1] if len(self._marks) > 3 else (t0, s0)
            if t1 > t0 and s1 > s0:
                return (s1 - s0) / (t1 - t0)
        return self._logged


def _by_times(column: Column) -> float | None:
    some = slice(-_LOGGED, None)
    time, step = column.wall_time[some], column.step[some]
    seconds, steps = float(time[-1] - time[0]), int(step[-1] - step[0])
    return steps / seconds if seconds > 0 and steps > 0 and math.isfinite(seconds) else None
