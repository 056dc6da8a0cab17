"""Schedules that fall and rise in turn: restarts, triangles, waves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from trainlens.stats.falls import Common, Rise, common_shape
from trainlens.stats.outline import Outline

_SUDDEN = 0.05
"""A rise that takes less than this share of the fall before it is a restart."""
_ALIKE = 0.3

_PAIRS = {
    ("linear", "linear"): "cyclic",
    ("", "linear"): "cyclic",
    ("cosine", "cosine"): "cyclic",
    ("linear", "cosine"): "cosine-restarts",
    ("", "cosine"): "cosine-restarts",
}
"""Families by the shapes of rises and falls; rises of too few points have none."""


@dataclass(frozen=True)
class Cycles:
    """What falls and rises in turn.

    Parameters
    ----------
    family : str
        ``cosine-restarts``, ``cyclic`` or ``unknown``.
    restarts : tuple of float
        Steps at which a new cycle begins.
    floor : float
        Lowest bottom, as share of the peak.
    error : float
        See `trainlens.stats.schedule.Schedule`.
    takes_rise : bool
        Whether the first rise is part of the first cycle, no warmup.
    """

    family: str
    restarts: tuple[float, ...]
    floor: float
    error: float = math.nan
    takes_rise: bool = False


def cycles_of(o: Outline, rise: Rise | None, tops: list[int]) -> Cycles:
    """Recognise cycles.

    Parameters
    ----------
    o : Outline
    rise : Rise or None
        Before the first top.
    tops : list of int
        Points at which the curve turns, the first one a top.
    """
    falls = list(zip(tops[::2], tops[1::2], strict=False))
    rises = list(zip(tops[1::2], tops[2::2], strict=False))
    lengths = [float(o.x[b] - o.x[a]) for a, b in falls]
    ascents = [float(o.x[b] - o.x[a]) for a, b in rises]
    sudden = [
        b - a <= 2 or ascent <= _SUDDEN * fall
        for (a, b), ascent, fall in zip(rises, ascents, lengths, strict=False)
    ]
    restarts = tuple(float(o.x[b if s else a]) for (a, b), s in zip(rises, sudden, strict=True))
    known = Cycles("unknown", restarts, float(min(o.y[b] for _, b in falls)))
    down = common_shape(o, falls)
    if down is None:
        return known
    known = replace(known, error=down.error)
    if all(sudden):
        return replace(known, family=_sudden(down, lengths))
    up = common_shape(o, [(b, a) for a, b in rises])
    family = _PAIRS.get((up.shape if up is not None else "", down.shape), "unknown")
    if family == "cyclic" and not _one_kind(rise, lengths, ascents):
        return known
    if family == "cosine-restarts" and not down.whole:
        return known
    return replace(known, family=family, takes_rise=family == "cyclic")


def _sudden(down: Common, lengths: list[float]) -> str:
    if down.shape == "cosine":
        return "cosine-restarts" if down.whole else "unknown"
    return "cyclic" if len(lengths) > 2 and _alike(lengths[:-1], _ALIKE) else "unknown"


def _one_kind(rise: Rise | None, lengths: list[float], ascents: list[float]) -> bool:
    """Whether all cycles are alike: one arm of another length is a second warmup."""
    if len(ascents) == 1:
        return _alike([rise.length if rise is not None else 0.0, lengths[0], *ascents], 0.1)
    return _alike(ascents[:-1], _ALIKE) and _alike(lengths[:-1], _ALIKE)


def _alike(lengths: list[float], within: float) -> bool:
    return max(lengths) - min(lengths) <= within * max(lengths)
