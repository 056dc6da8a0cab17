"""What losses say about a learning rate, on a scale without unit: pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from trainlens.stats.gains import Gain, gain, t_quantile
from trainlens.stats.noise import mean_error, second_difference_noise
from trainlens.stats.plateau import plateau
from trainlens.stats.trend import scale_free
from trainlens_torch.adaptive.history import Floats

__all__ = ["LEAST", "Stall", "Verdict", "against", "blown_up", "faster", "stall"]

LEAST = 0.005
"""Smallest relative difference of losses worth a word."""

_FLAT, _BY_NOISE = 0.015, 0.4
_SURE, _ALIKE = 3.0, 1.645
_FALL = 0.05
_FEWEST, _LEAST_POINTS = 30, 15
_BLOWN, _ROW = 0.25, 3


class Stall(str, Enum):
    """How a loss has come to stand still."""

    NEVER_FELL = "has not fallen"
    STOPPED = "fell and stopped"


class Verdict(str, Enum):
    """A stretch of losses against an earlier one."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "the same"
    UNCLEAR = "unclear"


def stall(curve: Floats) -> tuple[Stall, str] | None:
    """Whether losses stand still, and how; None while they fall or it cannot be told.

    "Fell and stopped" is what the check-up of a log calls stagnation
    (`trainlens.stats.plateau.plateau`), at three standard errors, since it is asked again and
    again; or its last three quarters are level. "Has not fallen": it is level, and was within 5 %
    of that from its first value on.

    Level is what fell by less than 1.5 % at most (95 %, one side), or by 0.4 of its noise from
    point to point where that is more; and not by more than half a standard error. A loss that
    reaches or crosses 0 has no percent; there the noise alone is the bound.

    Parameters
    ----------
    curve : ndarray of shape (n,)
        Losses at one learning rate, evenly spaced, finite.

    Returns
    -------
    (Stall, str) or None
        With the numbers in words.
    """
    n = len(curve)
    x = np.arange(1, n + 1) / n
    level = scale_free(curve)
    if n >= _FEWEST:
        found = plateau(x, level, z=_SURE)
        if found is not None:
            was, since = f"{found.before.value:.2g}", f"{found.since.value:.2g}"
            said = f"it fell by {was} before and by {since} since (relative)"
            return Stall.STOPPED, f"{said}, {found.score:.1f} standard errors too little"
    bound = _BY_NOISE * second_difference_noise(level)
    if bool((curve > 0).all() or (curve < 0).all()):
        bound = max(_FLAT, bound)
    whole = gain(x, level, 0.0, 1.0, least=_LEAST_POINTS)
    late = gain(x, level, 0.25, 1.0, least=_LEAST_POINTS)
    how = Stall.STOPPED if _fell(level) else Stall.NEVER_FELL
    if whole is not None and _nothing(whole, bound):
        return _said(how, whole, n)
    if whole is None or late is None or not _nothing(late, bound):
        return None
    if how is Stall.NEVER_FELL and whole.lower() > 0.0:
        return None  # it fell a little, and noise hides where
    return _said(how, late, n - n // 4)


def _said(how: Stall, moved: Gain, count: int) -> tuple[Stall, str]:
    told = f"it moved by {-moved.value:+.2g} +- {moved.error:.1g} (relative) in {count} losses"
    return how, told


def _fell(level: Floats) -> bool:
    """Whether a curve fell by more than 5 %, and than its noise, before its last three quarters."""
    head = max(1, len(level) // 4)
    early, late = level[:head], level[head:]
    noise = second_difference_noise(level)
    return float(early.max() - np.median(late)) > _FALL + 4.0 * noise


def _nothing(moved: Gain, bound: float) -> bool:
    """Whether a gain is none: too small to matter at most, and with no sign of a fall or rise."""
    falling, rising = moved.lower(0.5) > 0.0, moved.upper(2.33) < 0.0
    return moved.upper() < bound and not falling and not (rising and -moved.value > bound)


@dataclass(frozen=True)
class _Level:
    value: float
    error: float
    dof: float

    @classmethod
    def of(cls, level: Floats) -> _Level:
        return cls(float(np.mean(level)), *mean_error(level))


def against(before: Floats, now: Floats, sure: float = _SURE) -> tuple[Verdict, str]:
    """The level of a new stretch of losses against that of an earlier one.

    Better or worse by at least 0.5 % and `sure` standard errors (autocorrelation counted), or 1.645
    of them where each of the newest losses lies beyond all of `before`: a loss that falls steeply
    has no level. The same where a difference above 1 % is excluded. The first third of `now` is
    left out: a loss takes a while to follow a change of the rate.

    Parameters
    ----------
    before, now : ndarray of shape (n,), (m,)
        Losses; m at least 6.
    sure : float
        Standard errors that a difference must have.

    Returns
    -------
    Verdict, str
        The string has the numbers in words.
    """
    level = scale_free(np.concatenate([before, now]))
    old = _Level.of(level[: len(before)])
    new = _Level.of(level[len(before) + len(now) // 3 :])
    rise = new.value - old.value
    error = math.hypot(old.error, new.error)
    parts = [(one.error / error) ** 4 / one.dof for one in (old, new)] if error else [1.0]
    old_all, newest = level[: len(before)], level[-max(4, len(now) // 3) :]
    apart = newest.max() < old_all.min() if rise < 0 else newest.min() > old_all.max()
    reach = error * (_ALIKE if apart else t_quantile(sure, 1.0 / sum(parts)))
    said = f"level {rise:+.2g} +- {error:.1g} (relative)"
    if abs(rise) >= LEAST and abs(rise) > reach:
        return (Verdict.WORSE if rise > 0 else Verdict.BETTER), said
    same = abs(rise) + 2 * error < 2 * LEAST
    return (Verdict.SAME if same else Verdict.UNCLEAR), said


def blown_up(before: Floats, now: Floats) -> bool:
    """Whether the last three losses all lie far above a level: by 25 % and 8 of its deviations."""
    if len(now) < _ROW:
        return False
    level = scale_free(np.concatenate([before, now]))
    old = level[: len(before)]
    limit = float(np.median(old)) + max(_BLOWN, 8 * float(np.std(old)))
    return bool((level[-_ROW:] > limit).all())


def faster(before: Floats, now: Floats, ratio: float) -> bool:
    """Whether a loss falls significantly faster now than it did before a higher rate.

    Of both stretches the last two thirds count, on the same scale; 1.645 standard errors, and at
    least a quarter of the higher pace that a rate `ratio` times as high can give.
    """
    level = scale_free(np.concatenate([before, now]))
    old, new = level[: len(before)][len(before) // 3 :], level[len(before) :][len(now) // 3 :]
    paces = [_pace(old), _pace(new)]
    if paces[0] is None or paces[1] is None:
        return False
    (was, was_error, was_dof), (is_now, now_error, now_dof) = paces[0], paces[1]
    more, error = is_now - was, math.hypot(was_error, now_error)
    sure = more > t_quantile(_ALIKE, min(was_dof, now_dof)) * error
    return sure and more > 0.25 * (ratio - 1.0) * max(was, 0.0)


def _pace(level: Floats) -> tuple[float, float, float] | None:
    """Fall by evaluation, its error and degrees of freedom."""
    n = len(level)
    found = gain(np.arange(n, dtype=np.float64), level, 0.0, n - 1.0)
    return None if found is None else (found.value / (n - 1), found.error / (n - 1), found.dof)
