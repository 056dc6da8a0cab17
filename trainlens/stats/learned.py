"""Whether a curve ever left its first level."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlens.stats.blocks import Floats, condense
from trainlens.stats.gains import Gain, gain, t_quantile
from trainlens.stats.noise import lag1_autocorrelation, median, robust_scale

LEAST = 0.02
"""Smallest drop that counts as learning: 2 %."""

_FAR = 0.25
"""Smallest drop that is told by both ends alone, scale-free."""

_LUCK = 0.6
"""Mean by which the lowest of three quarters lies below them all, in errors of a difference."""


@dataclass(frozen=True)
class Learning:
    """How far a curve came from its first values.

    Parameters
    ----------
    drop : float
        Fall from the first values to the best quarter of the run; scale-free.
    error : float
        Its standard error.
    learned : bool
        The drop is at least 2 % and more than noise.
    total : Gain
        Fall over the whole run along a line.
    """

    drop: float
    error: float
    learned: bool
    total: Gain

    @property
    def reach(self) -> float:
        """Largest drop that the data leave possible, at 95 %.

        The larger of two bounds, so that neither a fall along a line nor one in a single step is
        underrated. The best of three quarters is lucky by 0.85 of its own deviations where nothing
        happens, which is taken off.
        """
        return max(self.total.upper(), self.drop + (1.645 - _LUCK) * self.error)


def learning(x: Floats, y: Floats, least: float = LEAST) -> Learning | None:
    """Compare the first values of a curve with the best level it reached later.

    Heads of 1, 2, 4, ... points up to a quarter of the run are tried, since a curve may fall
    within its first few points. A fault only if none of them stands out.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Place within the run, ascending.
    y : ndarray of shape (n,)
        Scale-free level, lower being better.
    least : float
        Smallest drop that counts.

    Returns
    -------
    Learning, or None with fewer than 8 points
    """
    x, y = condense(x, y)
    n = len(y)
    total = gain(x, y, float(x[0]), float(x[-1])) if n >= 8 else None
    if total is None:
        return None
    quarter = n // 4
    levels = [median(y[k * quarter : (k + 1) * quarter]) for k in (1, 2)]
    low = min(*levels, median(y[-quarter:]))
    sigma, inflation = _noise(x[quarter:], y[quarter:])
    dof = (n - quarter - 2) / inflation
    learned, head = _parted(y), 1
    while head <= quarter:
        # Medians against medians, as soon as there are some: skewed noise has another mean.
        drop = (median(y[:head]) if head > 4 else sum(y[:head].tolist()) / head) - low
        error = sigma * math.sqrt(1.57 * min(1.0, inflation / head) + 1.57 * inflation / quarter)
        # A single value may be far out by itself: the fewer there are, the more is asked.
        needed = t_quantile(4.0 + 6.0 / head**0.5, max(dof, 30.0)) * error
        learned |= drop >= least and drop > needed
        head *= 2
    error = sigma * math.sqrt(3.14 * min(1.0, inflation / quarter))
    return Learning(median(y[:quarter]) - low, error, learned, total)


def _parted(y: Floats) -> bool:
    """Whether a curve ends far below where it began, by the scatter of both ends.

    A fall that begins slowly and ends slowly leaves a line so much that it looks like noise with
    a memory. Of 4,000 curves of AR(1) noise as large as that, 120 points, two were parted at an
    autocorrelation of 0.9, and none up to 0.5.
    """
    if len(y) < 60:
        return False
    first, last = y[: len(y) // 8], y[-(len(y) // 4) :]
    drop = median(first) - median(last)
    return drop >= _FAR and drop > 6.0 * max(float(first.std()), float(last.std()))


def _noise(x: Floats, y: Floats) -> tuple[float, float]:
    """Scale and variance inflation of the noise around a line."""
    away = x - x.mean()
    spread = float(away @ away)
    centred = y - y.mean()
    slope = float(away @ centred) / spread if spread > 0 else 0.0
    rest = centred - slope * away
    rho = min(max(lag1_autocorrelation(rest) + 1 / len(rest), 0.0), 0.9)
    return robust_scale(rest), (1 + rho) / (1 - rho)
