"""Whether a curve has stopped falling: three outcomes, by equivalence and extrapolation.

A power law L = floor + a t^-p gains between f and 1 at least (1 - f) times what it gained between
f/2 and f, whatever its floor and for every p up to 1. A curve that stopped at f gains nothing. So
the gain since f is tested against a share of the gain before f: no threshold in the unit of the
loss, and a slow but steady curve is never taken for one that stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainlens.stats.blocks import Floats, block_medians, condense
from trainlens.stats.gains import Gain, bent, gain, gains, t_quantile
from trainlens.stats.noise import median

ONSETS = tuple(np.geomspace(0.05, 0.55, 16).round(4).tolist())
"""Shares of the run at which a curve may have stopped.

Not later: the end of a cosine schedule, where that is not logged, gains as little as a plateau.
"""


@dataclass(frozen=True)
class Plateau:
    """A stretch at the end of a curve in which it no longer falls.

    Parameters
    ----------
    onset : float
        Place, as share of the run, since which the curve is flat.
    since, before : Gain
        Fall since the onset, and over the stretch of half that place before it.
    score : float
        Standard errors by which the gain since misses the least that a steady curve gains.
    """

    onset: float
    since: Gain
    before: Gain
    score: float


def onset_of(x: Floats, y: Floats, found: Plateau) -> float:
    """Place at which the curve turned flat: the best fit of a hinge, level after it.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        As given to `plateau`.
    found : Plateau

    Returns
    -------
    float, unit of `x`
    """
    a = int(np.searchsorted(x, found.onset * 0.4))
    bx, by = block_medians(x[a:], y[a:], 400)
    log = np.log(np.maximum(bx, 1e-9))
    best, place = np.inf, found.onset
    for t in np.linspace(found.onset * 0.6, min(0.9, found.onset * 1.5), 61):
        arm = np.maximum(np.log(t) - log, 0.0)
        away = arm - arm.mean()
        power = float(away @ away)
        if power <= 0.0:
            continue
        centre = by - by.mean()
        left = float(centre @ centre) - float(away @ centre) ** 2 / power
        if left < best:
            best, place = left, float(t)
    return place


@dataclass(frozen=True)
class Stages:
    """A condensed curve, and its gains before and since each of `ONSETS`.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
    falling : bool
        It falls at its very end: no plateau, and no gains here.
    since, before : tuple of Gain or None
        Over [f, 1] and [f / 2, f] for each onset f before which the curve gained enough.
    """

    x: Floats
    y: Floats
    falling: bool
    since: tuple[Gain | None, ...] = ()
    before: tuple[Gain | None, ...] = ()

    @classmethod
    def of(cls, x: Floats, y: Floats, least_gain: float = 0.005) -> Stages:
        """Stages of a curve as given to `plateau`."""
        x, y = condense(x, y)
        tail = gain(x, y, 0.85, 1.0)
        if tail is not None and tail.value > least_gain and tail.lower(3.0) > 0:
            return cls(x, y, True)
        before = gains(x, y, [(f / 2, f) for f in ONSETS])
        before = [b and bent(x, y, f / 2, f, b) for f, b in zip(ONSETS, before, strict=True)]
        told = [
            f if b is not None and (1 - f) * b.value >= least_gain else None
            for f, b in zip(ONSETS, before, strict=True)
        ]
        found = iter(gains(x, y, [(f, 1.0) for f in told if f is not None], least=8))
        since = tuple(None if f is None else next(found) for f in told)
        return cls(x, y, False, since, tuple(before))


def plateau(
    x: Floats,
    y: Floats,
    *,
    share: float = 0.65,
    least_gain: float = 0.005,
    z: float = 2.4,
    stages: Stages | None = None,
) -> Plateau | None:
    """The plateau that a curve ends on, None where there is none to be seen.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Place within the run, ascending, the last being 1.
    y : ndarray of shape (n,)
        Scale-free level (`trainlens.stats.trend.scale_free`).
    share : float
        A curve goes on if it gains this share of (1 - f) times its earlier gain: a power law
        gains at least 1.0, one whose learning rate follows a cosine 0.53 to 0.67. This must be
        refuted, and less than 0.3 of it be seen, for a plateau.
    least_gain : float
        Smallest loss of gain worth a word.
    z : float
        One-sided normal deviate for "significant".
    stages : Stages, optional
        ``Stages.of(x, y, least_gain)``, where the same curve is judged more than once.

    Returns
    -------
    Plateau or None
    """
    s = stages or Stages.of(x, y, least_gain)
    if s.falling:
        return None
    best: Plateau | None = None
    for onset, since, before in zip(ONSETS, s.since, s.before, strict=True):
        found = since and before and _stopped_at(onset, since, before, share, least_gain, z)
        if found and (best is None or found.score > best.score):
            best = found
    return _flat_for_long(s.x, s.y, least_gain) if best is None else best


def _flat_for_long(x: Floats, y: Floats, least_gain: float) -> Plateau | None:
    """A curve that did all its falling early, too early for a trend to be seen there."""
    since = gain(x, y, 0.25, 1.0, least=20)
    if since is None or since.upper() >= least_gain or since.lower() <= -4 * least_gain:
        return None
    head = y[: max(1, int(np.searchsorted(x, 0.25)))]
    fallen = float(head.max()) - median(y[len(head) :])
    early = Gain(fallen, since.error, since.dof)
    if fallen < 4 * least_gain or since.upper() > 0.1 * fallen:
        return None
    earlier = gain(x, y, 0.06, 0.25)
    if earlier is not None and earlier.lower() > 0 and since.upper() > 0.3 * earlier.value:
        return None
    return Plateau(0.25, since, early, (least_gain - since.value) / max(since.error, 1e-12))


def _stopped_at(
    onset: float, since: Gain, before: Gain, share: float, least_gain: float, z: float
) -> Plateau | None:
    factor = share * (1 - onset)
    missing = factor * before.value - since.value
    if missing <= 0:
        return None
    early, late = factor * before.error, since.error
    error = math.hypot(early, late)
    # Welch's: of two errors, neither known too well, the sum is known better.
    parts = (early / error) ** 4 / before.dof + (late / error) ** 4 / since.dof if error else 1.0
    dof = 1.0 / parts
    if missing < t_quantile(z, dof) * error:
        return None
    expected = factor * before.value
    if since.value > 0.3 * expected or (
        since.value > least_gain and since.lower() > 0.1 * expected
    ):
        return None
    rise = -since.value
    if rise > expected or (rise > max(0.5 * expected, least_gain) and since.upper(2.33) < 0):
        return None  # a rise, or noise too wide to tell
    return Plateau(onset, since, before, missing / max(error, 1e-12))
