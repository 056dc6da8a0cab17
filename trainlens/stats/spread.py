"""Whether two series scatter alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median


@dataclass(frozen=True)
class Spread:
    """How much more one sample scatters than another.

    Parameters
    ----------
    ratio : float
        Mean absolute deviation of the second sample as share of the first; infinite where the
        first does not scatter.
    t : float
        Square root of the Brown-Forsythe statistic, positive where the second scatters more:
        Student's t with `dof` degrees of freedom if both scatter alike.
    dof : int
    """

    ratio: float
    t: float
    dof: int

    @property
    def p(self) -> float:
        """Two-sided p-value of samples that scatter alike."""
        from scipy.special import stdtr

        return 2 * float(stdtr(self.dof, -abs(self.t)))


def brown_forsythe(first: Floats, second: Floats) -> Spread | None:
    """Compare the scatter of two samples around their medians (Brown and Forsythe 1974).

    An analysis of variance of the absolute deviations from the medians: it holds its level for
    skewed and heavy-tailed noise, where the F test does not (doi:10.1080/01621459.1974.10482955).
    Autocorrelated series are to be compared by their innovations.

    Parameters
    ----------
    first, second : ndarray of shape (n,), (m,)
        Finite.

    Returns
    -------
    Spread, or None with fewer than 5 values in one of them
    """
    if min(len(first), len(second)) < 5:
        return None
    size = max(float(np.abs(first).max()), float(np.abs(second).max()), 1e-300)
    # Their halves by the largest one: nothing here can overflow.
    a, b = _deviations(first / 2 / size), _deviations(second / 2 / size)
    n, m = len(a), len(b)
    left = float(np.sum((a - a.mean()) ** 2) + np.sum((b - b.mean()) ** 2))
    error = np.sqrt(left / (n + m - 2) * (1 / n + 1 / m))
    apart = float(b.mean() - a.mean())
    certain = np.copysign(np.inf, apart) if apart else 0.0
    t = apart / error if error else certain
    low = float(a.mean())
    ratio = float(b.mean()) / low if low > 0 else (1.0 if apart == 0.0 else np.inf)
    return Spread(float(ratio), float(t), n + m - 2)


def _deviations(value: Floats) -> Floats:
    """Distances from the median; of an odd number the one that is 0 by construction is left out."""
    away = np.abs(value - median(value))
    return np.delete(away, int(away.argmin())) if len(value) % 2 else away
