"""Rolling statistics that are fed in chunks.

Each keeps just the points that later windows need, and gives bit for bit what the function of
`trainlens.stats.rolling` gives on the whole series.
"""

from __future__ import annotations

from functools import lru_cache

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

    def update(self, value: Floats) -> Floats:
        """Quantile for each new point, shape (m,)."""
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


class Previous:
    """The last few points before each chunk.

    Parameters
    ----------
    count : int
        How many points are kept; in front of the series there are NaNs.
    """

    def __init__(self, count: int) -> None:
        self._held = np.full(count, np.nan)

    def join(self, value: Floats) -> Floats:
        """The kept points followed by the new ones, shape (count + m,)."""
        joined = np.concatenate([self._held, value])
        self._held = joined[len(joined) - len(self._held) :].copy()
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

    def update(self, value: Floats) -> Floats:
        """Autocorrelation before each new point (that point left out), shape (m,)."""
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
        self._state = np.nan

    def update(self, value: Floats) -> Floats:
        """Extreme up to each new point, shape (m,)."""
        if not len(value):
            return value
        out = self._ufunc.accumulate(np.concatenate([[self._state], value]))[1:]
        self._state = float(out[-1])
        return np.asarray(out)
