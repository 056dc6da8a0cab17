"""Rolling statistics that are fed in chunks.

Each keeps just the points that later windows need, and gives bit for bit what the function of
`trainlens.stats.rolling` gives on the whole series. A live log brings its points one by one:
for those `one` gives what `update` gives, without arrays.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from functools import lru_cache
from itertools import pairwise

import numpy as np

from trainlens.detect.base import Floats
from trainlens.stats.rolling import rolling_quantile


class RollingQuantile:
    """`rolling_quantile` in chunks.

    Parameters
    ----------
    window, lag, min_periods : int
    q : float
        See `trainlens.stats.rolling.rolling_quantile`.
    """

    def __init__(self, window: int, q: float = 0.5, *, lag: int = 0, min_periods: int = 1) -> None:
        self._window, self._q, self._lag, self._min = window, q, lag, min_periods
        self._held = np.empty(0)
        self._single: _Sorted | None = None

    def one(self, value: float) -> float:
        """Quantile for one new point."""
        if self._single is None:
            self._single = _Sorted(self._held.tolist(), self._window, self._lag)
        return self._single.quantile(value, self._q, self._min)

    def update(self, value: Floats) -> Floats:
        """Quantile for each new point, shape (m,)."""
        if len(value) == 1:
            return np.array((self.one(float(value[0])),))
        if self._single is not None:
            self._held, self._single = self._single.values(), None
        joined = np.concatenate([self._held, value]) if len(self._held) else value
        out = rolling_quantile(
            joined,
            self._window,
            self._q,
            lag=self._lag,
            min_periods=self._min,
            start=len(self._held),
        )
        self._held = joined[-(self._window + self._lag) :].copy()
        return out


class _Sorted:
    """The points of one window in order, and those that come before and after it.

    Parameters
    ----------
    held : list of float
        The points before, as many as `window` and `lag` ask for, or all.
    window, lag : int
    """

    def __init__(self, held: list[float], window: int, lag: int) -> None:
        self._window, self._lag = window, lag
        self._queue = deque(held)
        inside = held[: max(len(held) - lag, 0)]
        self._sorted = sorted(map(_known, inside))
        self._bad = sum(not math.isfinite(x) for x in inside)

    def values(self) -> Floats:
        """All points that are held."""
        return np.array(self._queue, np.float64)

    def quantile(self, value: float, q: float, least: int) -> float:
        """Take in a point; the quantile of its window."""
        queue, held = self._queue, self._sorted
        queue.append(value)
        if len(queue) > self._lag:
            # The next point of the queue enters the window; the first one leaves a full one.
            if len(held) == self._window:
                old = queue.popleft()
                self._bad -= not math.isfinite(old)
                del held[bisect_left(held, _known(old))]
            new = queue[-1 - self._lag]
            self._bad += not math.isfinite(new)
            insort(held, _known(new))
        count = len(held)
        if not count or self._bad or count < least:
            return math.nan
        rank = int(q * (count - 1))
        if q == 0.5 and count < self._window and count % 2 == 0:
            return held[rank] * 0.5 + held[rank + 1] * 0.5
        return held[rank]


def _known(x: float) -> float:
    return x if math.isfinite(x) else 0.0


class Previous:
    """The last few points before each chunk.

    Parameters
    ----------
    count : int
        How many points are kept; in front of the series there are NaNs.
    """

    def __init__(self, count: int) -> None:
        self._held = [math.nan] * count

    def one(self, value: float) -> float:
        """The oldest of the kept points, in the place of which a new one is kept."""
        self._held.append(value)
        return self._held.pop(0)

    def join(self, value: Floats) -> Floats:
        """The kept points followed by the new ones, shape (count + m,)."""
        joined = np.concatenate([self._held, value])
        self._held = joined[len(joined) - len(self._held) :].tolist()
        return joined


class SignAgreement:
    """Lag-1 autocorrelation of the last `window` points from the signs of neighbours.

    For normal noise, the correlation is sin(pi/2 * mean(sign(x_i) sign(x_i-1))) (quadrant
    correlation; Blomqvist 1950, doi:10.1214/aoms/1177729754). Sums of signs are whole numbers, so
    chunks cannot change them, and no outlier can.

    Parameters
    ----------
    window : int
        Pairs of neighbours; fewer than `min_periods` give 0.
    """

    def __init__(self, window: int = 501, min_periods: int = 60) -> None:
        self._window, self._min = window, min_periods
        self._signs = np.empty(0, np.int8)
        self._single: deque[int] | None = None
        self._agreed = 0

    def one(self, value: float) -> float:
        """Autocorrelation before one new point."""
        if self._single is None:
            self._single = deque(self._signs.tolist())
            self._agreed = sum(a * b for a, b in pairwise(self._single))
        signs, agreed, pairs = self._single, self._agreed, max(len(self._single) - 1, 0)
        sign = (value > 0) - (value < 0)
        if signs:
            self._agreed += signs[-1] * sign
        signs.append(sign)
        if len(signs) > self._window + 1:
            self._agreed -= signs.popleft() * signs[0]
        if pairs < self._min:
            return 0.0
        if pairs == self._window:
            return float(_sines(pairs)[agreed + pairs])
        return float(np.sin(np.pi / 2 * (agreed / max(pairs, 1))))

    def update(self, value: Floats) -> Floats:
        """Autocorrelation before each new point (that point left out), shape (m,)."""
        if self._single is not None:
            self._signs, self._single = np.array(self._single, np.int8), None
        sign = (value > 0).astype(np.int8) - (value < 0)
        held, window = len(self._signs), self._window
        joined = np.concatenate([self._signs, sign])
        total = np.zeros(len(joined) + 1, np.int64)  # of the products up to each point
        np.cumsum(joined[1:] * joined[:-1], out=total[2:])
        self._signs = joined[-(window + 1) :].copy()
        agreed = total[held:-1].copy()
        full = min(max(window + 1 - held, 0), len(value))  # from here on all windows are full
        agreed[full:] -= total[held + full - window : len(joined) - window]
        pairs = np.arange(held, held + full) - 1
        out = np.empty(len(value))
        known = np.sin(np.pi / 2 * (agreed[:full] / np.maximum(pairs, 1)))
        out[:full] = np.where(pairs >= self._min, known, 0.0)
        # So few different sums that each sine is worked out once.
        out[full:] = _sines(window)[agreed[full:] + window] if window >= self._min else 0.0
        return out


@lru_cache(maxsize=8)
def _sines(window: int) -> Floats:
    """Correlation for each sum of `window` signs, from the lowest to the highest."""
    return np.sin(np.pi / 2 * (np.arange(-window, window + 1) / window))


class RunningExtreme:
    """Largest or smallest value so far, NaN ignored.

    Parameters
    ----------
    largest : bool
    """

    def __init__(self, largest: bool) -> None:
        self._ufunc = np.fmax if largest else np.fmin
        self._sign = 1 if largest else -1
        self._state = np.nan

    def one(self, value: float) -> float:
        """Extreme up to one new point."""
        if not value * self._sign <= self._state * self._sign and not math.isnan(value):
            self._state = value
        return self._state

    def update(self, value: Floats) -> Floats:
        """Extreme up to each new point, shape (m,)."""
        if not len(value):
            return value
        out = self._ufunc.accumulate(np.concatenate([[self._state], value]))[1:]
        self._state = float(out[-1])
        return np.asarray(out)
