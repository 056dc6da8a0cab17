"""What several rules ask of one curve, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from trainlens.run import Series
from trainlens.stats.blocks import Floats
from trainlens.stats.learned import Learning, learning
from trainlens.stats.trend import relative, scale_free


@dataclass(frozen=True)
class Curve:
    """A loss on scales without unit.

    Parameters
    ----------
    place : ndarray of shape (n,)
        Place within the run (`trainlens.stats.trend.relative`).
    level : ndarray of shape (n,)
        Lower is better (`trainlens.stats.trend.scale_free`).
    learning : Learning or None
        How far it came from its first values; None where it is too short to tell.
    """

    place: Floats
    level: Floats
    learning: Learning | None


_known: WeakKeyDictionary[Series, dict[str, Curve]] = WeakKeyDictionary()


def curve_of(series: Series, direction: str = "min") -> Curve:
    """Curve of a series of finite values, computed once however many rules ask.

    Parameters
    ----------
    series : Series
        As `Series.finite` gives it.
    direction : {"min", "max"}
        Whether lower or higher values are better.
    """
    held = _known.setdefault(series, {})
    if direction not in held:
        place, level = relative(series.step), scale_free(series.value, direction)
        held[direction] = Curve(place, level, learning(place, level))
    return held[direction]
