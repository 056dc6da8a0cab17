"""The surroundings of a finding at high resolution, for a small chart beside its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.compact import Compact
from trainlens.rules.base import Finding
from trainlens.run import Run, Series
from trainlens.stats.resample import Buckets, bucket, uniform_edges

_BUCKETS = 120


@dataclass(frozen=True, eq=False, slots=True)
class View(Compact):
    """The surroundings of a finding at high resolution, for a small chart.

    Parameters
    ----------
    lines : tuple of (split, Buckets)
        The finding's own series first.
    first, last : int
        The range of steps found at fault.
    """

    lines: tuple[tuple[str, Buckets], ...]
    first: int
    last: int


def view(run: Run, finding: Finding) -> View | None:
    """The surroundings of a finding; None where it has no step or no series."""
    own = run.series.get((finding.metric, finding.split))
    if own is None or not len(own) or finding.first_step is None:
        return None
    kept = own.effective
    first = finding.first_step
    last = max(first, first if finding.last_step is None else finding.last_step)
    low, high = _surroundings(kept, first, last)
    twin = run.series.get((finding.metric, "train" if finding.split != "train" else "val"))
    lines = []
    for series in (own, twin):
        if series is not None and (summary := _between(series.effective, low, high)) is not None:
            lines.append((series.split, summary))
    return View(tuple(lines), first, last) if lines else None


def _surroundings(kept: Series, first: int, last: int) -> tuple[int, int]:
    # Twice the range on both sides, a tenth of the run and 20 points at least.
    span = int(kept.step[-1] - kept.step[0])
    pad = max(2 * (last - first), span // 10, 1)
    low, high = first - pad, last + pad
    a = int(np.searchsorted(kept.step, first))
    low = min(low, int(kept.step[max(0, a - 20)]))
    high = max(high, int(kept.step[min(len(kept) - 1, a + 20)]))
    return max(low, int(kept.step[0])), min(high, int(kept.step[-1]))


def _between(series: Series, low: int, high: int) -> Buckets | None:
    inside: NDArray[np.intp] = np.flatnonzero((series.step >= low) & (series.step <= high))
    if not len(inside):
        return None
    step, value = series.step[inside], series.value[inside]
    return bucket(step, value, uniform_edges(int(step[0]), int(step[-1]), _BUCKETS))
