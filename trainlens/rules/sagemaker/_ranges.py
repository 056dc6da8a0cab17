"""Two series that bound a third quantity: its smallest and largest value, or two percentiles."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainlens.run import Run, Series


def ranges(run: Run, about: str, low: str, high: str) -> Iterator[tuple[Series, Series]]:
    """Pairs of series whose names differ only in how they call the lower and the upper end.

    Parameters
    ----------
    run : Run
    about : str
        Regular expression of what stands directly before the end, from the start of a word.
    low, high : str
        Names of the ends, separated by ``|``.

    Yields
    ------
    lower, upper : Series
        Finite, at the steps that both have.
    """
    word = re.compile(
        rf"(?<![a-z])(?P<about>{about})(?:(?P<low>{low})|(?P<high>{high}))(?![a-z0-9])",
        re.IGNORECASE,
    )
    ends: dict[tuple[str, str], dict[str, Series]] = {}
    for series in run.series.values():
        found = word.search(series.metric)
        if found and len(series.finite):
            end = "low" if found["low"] else "high"
            rest = series.metric[: found.end("about")] + series.metric[found.end() :]
            ends.setdefault((rest, series.split), {}).setdefault(end, series.finite)
    for pair in ends.values():
        if len(pair) == 2:
            a, b = pair["low"], pair["high"]
            step, i, j = np.intersect1d(a.step, b.step, assume_unique=True, return_indices=True)
            if len(step):
                yield a.take(i), b.take(j)
