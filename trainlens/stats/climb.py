"""How far a curve climbs at its end, by a hinge: level before, or falling, and a line after."""

from __future__ import annotations

import numpy as np

from trainlens.stats.blocks import Floats, block_levels
from trainlens.stats.gains import Gain
from trainlens.stats.noise import lag1_autocorrelation

_BLOCKS = 60
LEAST = 12
"""Points on the line below which its error cannot be known."""


def climb(y: Floats, turn: int) -> Gain | None:
    """Fall along a line from a turn to the end of a curve; negative where it climbs.

    What lies before the turn, as many points as after it, tells the level that the line begins
    at: that is why a hinge sees smaller climbs than a line of its own, or two levels, could. The
    arm before is level unless it clearly falls. Least squares through 60 block levels; the error
    is inflated by sqrt((1 + rho) / (1 - rho)) as in `trainlens.stats.gains.gain`.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Finite, evenly spaced.
    turn : int
        Index since which it may climb.

    Returns
    -------
    Gain, or None with fewer than `LEAST` points on either side
    """
    after = len(y) - turn
    before = min(after, turn)
    if before < LEAST or after < LEAST:
        return None
    place, level = block_levels(np.arange(-before, after, dtype=np.float64), y[-before - after :],
                                _BLOCKS)  # fmt: skip
    up, down = np.maximum(place, 0.0) / (after - 1), np.maximum(-place, 0.0) / before
    falls = _last(level, up, down).lower(1.0) > 0
    found = _last(level, down, up) if falls else _last(level, up)
    return Gain(-found.value, found.error, found.dof)


def _last(level: Floats, *arms: Floats) -> Gain:
    """Height of the last of some arms that are fitted to a curve together with its level."""
    count, columns = len(level), len(arms) + 1
    base = np.linalg.qr(np.stack([np.ones(count), *arms[:-1]], axis=1))[0]
    arm = arms[-1] - base @ (base.T @ arms[-1])
    rest = level - base @ (base.T @ level)
    power = float(arm @ arm)
    height = float(arm @ rest) / power
    rest = rest - height * arm
    # What the arms take out of the autocorrelation was found by simulation, so that the size is 3
    # to 7 % at a nominal 5 % for AR(1) noise up to 0.9, from 60 points on.
    r = max(lag1_autocorrelation(rest), 0.0)
    rho = min(r + (columns + 7 * r) / count, 0.95)
    inflation, dof = (1 + rho) / (1 - rho), count - columns
    variance = float(rest @ rest) / dof * inflation
    return Gain(height, float(np.sqrt(variance / power)), max(3.0, dof / inflation))
