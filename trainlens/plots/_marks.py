"""What is laid over curves: findings as shaded ranges, phases as ticks, attempts as dots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens.plots._text import put
from trainlens.plots.base import FONT, SEVERITIES, SMALL, SOFT
from trainlens.reporting.phases import phases
from trainlens.rules.base import Finding
from trainlens.run import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 9
"""Findings that are shaded; more would cover the curve."""


def numbered(findings: Sequence[Finding]) -> list[tuple[int, Finding]]:
    """The faults, numbered in the order given, as the report does."""
    failed = [f for f in findings if f.failed]
    return list(enumerate(failed, 1))


def shade(
    ax: Axes,
    findings: Sequence[Finding],
    shown: Iterable[Series],
    labelled: Sequence[float] = (),
    only: Callable[[Finding], bool] = lambda finding: True,
) -> None:
    """Shade the step ranges of the faults of the series shown, each with its number on top.

    Parameters
    ----------
    ax : Axes
        Its axis of steps is scaled already.
    findings : sequence of Finding
        A fault that names no series belongs to every one.
    shown : iterable of Series
    labelled : sequence of float
        Steps from where labels run to the right along the top edge, see `phase_ticks`.
    only : callable
        Which of the faults are shaded; their numbers stay those of all.
    """
    keys = {(s.metric, s.split) for s in shown}
    mine = [
        (n, f)
        for n, f in numbered(findings)
        if f.first_step is not None and ((f.metric, f.split) in keys or not f.metric) and only(f)
    ]
    low, high = ax.get_xlim()
    taken: list[float] = []
    for number, finding in mine[:_MOST]:
        first = float(finding.first_step or 0)
        # Numbers of neighbours, and those under a label, step down rather than lie on others.
        row = sum(abs(first - other) < 0.035 * (high - low) for other in taken)
        row += sum(0 <= first - start < 0.28 * (high - low) for start in labelled)
        taken.append(first)
        _shade_one(ax, number, finding, high - low, 0.97 - 0.11 * row)


def _shade_one(ax: Axes, number: int, finding: Finding, span: float, y: float) -> None:
    first = float(finding.first_step or 0)
    last = first if finding.last_step is None else float(finding.last_step)
    colour = SEVERITIES[finding.severity.value]
    # An event of one step would be thinner than a pixel.
    least = 0.004 * span
    ax.axvspan(first, max(last, first + least), color=colour, alpha=0.10, linewidth=0)
    ax.axvline(first, color=colour, linewidth=0.9, alpha=0.7)
    put(
        ax, first + 0.006 * span, y, str(number), color=colour, va="top",
        fontsize=FONT, fontweight="bold", transform=ax.get_xaxis_transform(),
    )  # fmt: skip


def phase_ticks(ax: Axes, run: Run) -> list[float]:
    """Label the phases of a training on the top edge.

    Returns
    -------
    list of float
        Steps from where a label runs to the right.
    """
    low, high = ax.get_xlim()
    labelled: list[float] = []
    last = run.steps[1] if run.steps else 0
    for phase in phases(run)[:4]:
        # What happens at the last step has not been seen to happen.
        if not low <= phase.step <= high or phase.step >= last:
            continue
        ax.axvline(phase.step, ymin=0.97, color=SOFT, linewidth=1)
        right = phase.step > low + 0.75 * (high - low)
        start = float(phase.step) - 0.28 * (high - low) * right
        row = sum(abs(start - other) < 0.28 * (high - low) for other in labelled)
        labelled.append(start)
        put(
            ax, phase.step, 0.955 - 0.09 * row, f"{phase.label} " if right else f" {phase.label}",
            fontsize=SMALL, color=SOFT, va="top", ha="right" if right else "left",
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    return labelled


def attempt_lines(ax: Axes, series: Series) -> None:
    """A dotted line where each later attempt of a series begins."""
    if series.attempts < 2:
        return
    starts = series.step[np.flatnonzero(np.diff(series.attempt)) + 1]
    for start in starts[:_MOST]:
        ax.axvline(float(start), color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
