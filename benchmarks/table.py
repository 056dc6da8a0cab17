"""One row of the benchmark table, and the table as text and as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_GOAL = re.compile(r"(>=|<=)\s*([\d.]+)\s*(x|s|ms|MB)\b")
_NEVER = float("nan")


@dataclass(frozen=True)
class Row:
    """One comparison with a peer, or one figure of ours that has a bound.

    Parameters
    ----------
    work
        What is done, with its size: ``"TensorBoard, 1 M scalars, to arrays, warm"``.
    peer
        The tool that is compared with; empty where the bound is absolute.
    peer_seconds
        Its time; NaN where it refuses, has no figure or is not installed (say why in `note`).
    our_seconds
        The time of trainlens; NaN where there is none (say why in `note`).
    goal
        ``">= 150x"``: at least so many times as fast as the peer (a floor that is to be within
        reach by a factor of 3 is ``">= 0.33x"``); ``"<= 3 s"``: at most so long. Anything else,
        or nothing, is a figure to read and not to pass.
    note
        What a reader has to know: versions, sizes, reasons.
    unit
        ``"s"``, ``"ms"`` where the two figures are milliseconds, or ``"MB"`` (a million bytes)
        where they are sizes.
    """

    work: str
    peer: str
    peer_seconds: float
    our_seconds: float
    goal: str = ""
    note: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer trainlens is; NaN where one figure is missing."""
        if not self.our_seconds > 0:
            return _NEVER
        return self.peer_seconds / self.our_seconds

    @property
    def verdict(self) -> str:
        """``"met"``, ``"missed"``, or nothing where the goal or a figure is missing."""
        bound = _GOAL.search(self.goal)
        if bound is None:
            return ""
        figure = self.ratio if bound[3] == "x" else self.our_seconds
        if math.isnan(figure):
            return ""
        limit = float(bound[2])
        return "met" if (figure >= limit if bound[1] == ">=" else figure <= limit) else "missed"


_HEAD = ("work", "peer", "theirs", "ours", "ratio", "goal", "", "note")


def figure(value: float, unit: str) -> str:
    """A time or size with three digits that matter; a dash where there is none."""
    if math.isnan(value):
        return "-"
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{decimals}f} {unit}" if value >= 0.1 else f"{value:.2g} {unit}"


def times(ratio: float) -> str:
    """A ratio as ``"12.3x"``; a dash where there is none."""
    if math.isnan(ratio):
        return "-"
    return f"{ratio:.0f}x" if ratio >= 100 else f"{ratio:.1f}x" if ratio >= 10 else f"{ratio:.2f}x"


def cells(row: Row) -> tuple[str, ...]:
    """The eight columns of one row, as text."""
    ours, theirs = figure(row.our_seconds, row.unit), figure(row.peer_seconds, row.unit)
    ratio = times(row.ratio)
    return (row.work, row.peer or "-", theirs, ours, ratio, row.goal, row.verdict, row.note)


def text(rows: Sequence[Row]) -> str:
    """The table for a terminal: columns padded with spaces, the note last."""
    lines = [_HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEAD))]
    right = (False, False, True, True, True, False, False, False)
    padded = (
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )
    return "\n".join(padded)


def markdown(rows: Sequence[Row]) -> str:
    """The same table as GitHub Markdown."""
    head = "| Work | Peer | Peer takes | trainlens takes | Ratio | Goal | | Note |"
    rule = "|---|---|--:|--:|--:|---|---|---|"
    lines = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in cells(row)) + " |" for row in rows
    )
    return "\n".join([head, rule, *lines])
