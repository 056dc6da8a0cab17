"""One metric of two single runs: matched points, their differences, and what these amount to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trainlens import words
from trainlens.comparison.alignment import align
from trainlens.comparison.axis import Placed
from trainlens.comparison.model import Alignment, At, Contrast, Interval, Variances
from trainlens.run import Floats
from trainlens.stats.contrast import FEWEST, mean_contrast
from trainlens.stats.summaries import mean, std
from trainlens.stats.variances import needed_for, same_variance

_LATE = 60
"""Matched points from which on their last half is looked at by itself: with fewer of them, at half
of the level, too many halves of noise would count."""
_NORMAL = 1.959964
_SIDED = 12
_LARGEST = 1e150
_METHOD = "paired by place; Student's t on the effective number of points, AR(1)"


class Pair:
    """A metric of a baseline and a candidate, both with one run.

    Parameters
    ----------
    left, right : Placed
        The series of the baseline and of the candidate.
    """

    def __init__(self, left: Placed, right: Placed) -> None:
        self.left, self.right = left, right
        self.alignment: Alignment = align(left.at, right.at)
        self.first: Floats = left.value[self.alignment.left]
        self.second: Floats = right.value[self.alignment.right]
        with np.errstate(over="ignore"):
            self.difference: Floats = self.second - self.first

    @property
    def late(self) -> slice:
        """The last half of the matched points."""
        return slice(len(self.first) // 2, None)

    def looks(self) -> tuple[Contrast | None, Contrast | None]:
        """The difference over all matched points and over their last half; None for too few."""
        several = len(self.difference) >= _LATE
        late = _contrast(self.difference[self.late]) if several else None
        return _contrast(self.difference), late

    def apart(self) -> tuple[float, int]:
        """Mean difference over the last half where all of it lies on one side, and its points.

        NaN where it does not, and with fewer than `_SIDED` points.
        """
        late = self.difference[self.late]
        sided = len(late) >= _SIDED and (bool((late > 0).all()) or bool((late < 0).all()))
        return (mean(late) if sided else math.nan), len(late)

    def why_not(self) -> str:
        """Why there is no difference to judge, empty where there is one."""
        if self.alignment.why:
            return f"no matched points: {self.alignment.why}"
        if len(self.alignment) < FEWEST:
            have = words.plural(len(self.alignment), "matched point")
            return f"only {have}; at least {FEWEST} are needed"
        return ""

    def at(self, places: Sequence[float]) -> tuple[At, ...]:
        """Both runs at some places."""
        reach = _NORMAL * math.hypot(self.left.noise, self.right.noise)
        wanted = np.array(places, np.float64)
        values = zip(self.left.near(wanted).tolist(), self.right.near(wanted).tolist(), strict=True)
        return tuple(
            _at(place, before, after, reach)
            for place, (before, after) in zip(places, values, strict=True)
        )

    def variances(self) -> Variances | None:
        """Whether both scatter alike, over all of their points; None with fewer than three."""
        if min(len(self.left), len(self.right)) < 3:
            return None
        before, after = std(self.left.value), std(self.right.value)
        if not before or not math.isfinite(before + after):
            return None
        ratio = (after / before) ** 2 if after < before * _LARGEST else math.inf
        p = same_variance(self.first, self.second) if len(self.first) else math.nan
        needed = needed_for(ratio) if 0 < ratio < math.inf and not p <= 0.05 else None
        return Variances((before, after), ratio, p, needed)


def _at(place: float, before: float, after: float, reach: float) -> At:
    delta = after - before
    percent = delta / abs(before) if before else math.nan
    sure = math.isfinite(delta) and math.isfinite(reach)
    interval = Interval(delta - reach, delta + reach) if sure else None
    return At(place, before, after, delta, percent, interval)


def _contrast(difference: Floats) -> Contrast | None:
    known = difference[np.isfinite(difference)]
    found = mean_contrast(known)
    if found is None:
        return None
    return Contrast(
        found.mean,
        Interval(found.low, found.high),
        found.n,
        found.n_effective,
        found.rho,
        found.p,
        found.needed,
        _METHOD,
    )


def telling_places(alignment: Alignment, most: int = 6) -> tuple[float, ...]:
    """Some matched places spread over the alignment, first and last among them."""
    if not len(alignment):
        return ()
    index = np.unique(np.linspace(0, len(alignment) - 1, most).round().astype(int))
    return tuple(float(alignment.at[i]) for i in index)
