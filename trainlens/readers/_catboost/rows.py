"""Rows of one file of a CatBoost training, and the gaps that damage left between them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

LAST = 1 << 62
"""Above every iteration."""

SEAM = "the comma between two entries is not as it was; entries may be missing"
"""What is lost there, only the numbers of the iterations can tell."""


class Cell(NamedTuple):
    """Which value of an iteration: the set it was measured on and the place of its metric.

    Parameters
    ----------
    group : str
        ``learn``, ``test``, the name of a further evaluation set; empty for times.
    metric : int or str
        Place among the metrics of the set, or the name where the file has it.
    """

    group: str
    metric: int | str


@dataclass
class Gap:
    """A damaged stretch of a file.

    Parameters
    ----------
    kind, what : str
        See `Notice`.
    start, end : int
        Offsets.
    lost : int
        Rows that are gone from this file.
    after, before : int
        The iterations around it.
    """

    kind: str
    what: str
    start: int
    end: int
    lost: int
    after: int = -1
    before: int = LAST


@dataclass
class Rows:
    """What a poll found in a file: values by iteration, ascending, and gaps."""

    values: dict[int, dict[Cell, float]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


class Row(NamedTuple):
    """One line of a table or one entry of the document, and where it stands in the file."""

    start: int
    end: int
    iteration: int
    values: dict[Cell, float]


class Ascending:
    """Admits the iterations of one file in ascending order; what does not fit is a gap.

    A single iteration far ahead of those behind it was damaged itself and must not shut them
    out.
    """

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, found: list[Row], gaps: list[Gap]) -> Rows:
        """Sort out the rows of a poll, and tell the gaps which iterations are around them."""
        before = self._last
        kept: list[Row] = []
        for row, following in zip_longest(found, found[1:]):
            after = following.iteration if following else LAST
            if row.iteration <= self._last or self._last < after < row.iteration:
                what = f"iteration {row.iteration} out of order, left out"
                gaps.append(Gap("corrupt", what, row.start, row.end, 1))
            else:
                kept.append(row)
                self._last = row.iteration
        starts = [row.start for row in kept]
        for gap in gaps:
            i = bisect_left(starts, gap.start)
            gap.after = kept[i - 1].iteration if i else before
            gap.before = kept[i].iteration if i < len(kept) else LAST
            if gap.what == SEAM and gap.before < LAST:
                gap.lost = gap.before - gap.after - 1
        return Rows({row.iteration: row.values for row in kept}, gaps)
