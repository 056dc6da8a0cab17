"""What several rules ask of one curve, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from trainlens.run import Series
from trainlens.stats.blocks import Floats
from trainlens.stats.learned import Learning, learning
from trainlens.stats.rise import Rise, rise
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
    """

    place: Floats
    level: Floats

    @cached_property
    def learning(self) -> Learning | None:
        """How far it came from its first values; None where it is too short to tell."""
        return learning(self.place, self.level)

    def rise(self, z: float = 3.0) -> Rise | None:
        """How far it ends above its best, beyond `z` standard errors or not."""
        if z not in self._rises:
            self._rises[z] = rise(self.level, z)
        return self._rises[z]

    @cached_property
    def _rises(self) -> dict[float, Rise | None]:
        return {}


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
        held[direction] = Curve(place, level)
    return held[direction]
