"""What the rules on single evaluations have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from trainlens.rules.base import Finding, inconclusive, skip
from trainlens.run import Series

Judge = Callable[[Series, Series], Iterable[Finding]]
"""From a series and its finite points in order to what is found."""


def each_judged(held: Sequence[Series], least: int, none: str, judge: Judge) -> Iterator[Finding]:
    """Findings of each series; of one with too few evaluations, that it cannot be judged.

    Parameters
    ----------
    held : sequence of Series
    least : int
        Finite values that a judgement takes.
    none : str
        Why the rule does not apply, where there is no series.
    judge : Judge
    """
    if not held:
        yield skip(none)
    for series in held:
        good = series.finite
        if len(good) < least:
            has = f"needs at least {least} evaluations, has {len(good)}"
            yield inconclusive(has, series)
        else:
            yield from judge(series, good)
