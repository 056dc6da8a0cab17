"""The faults of a run over the curve that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.plots._lines import draw_curve, finish_axes, make_curve, named, summary
from trainlens.plots._marks import attempt_lines, numbered, phase_ticks, shade
from trainlens.plots._text import cut_to, put
from trainlens.plots.base import (
    COLOURS,
    FONT,
    SEVERITIES,
    SOFT,
    RunOrRuns,
    axes_or_new,
    head,
    nothing,
    plot,
    single,
)
from trainlens.rules.base import Finding
from trainlens.run import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Faults that are told in words; the report tells all of them.
_TOLD = 5
_LONGEST = 300
"""Letters of a fact; what fits a line is less."""


def _subject(run: Run, findings: Sequence[Finding]) -> Series | None:
    """The series that most faults are about, else the main loss."""
    counts = Counter(
        (f.metric, f.split)
        for f in findings
        if f.failed and f.first_step is not None and len(run.series.get((f.metric, f.split), ()))
    )
    if counts:
        return run.series[counts.most_common(1)[0][0]]
    return run.main("loss", "train") or run.main("loss") or run.main("metric")


@plot(
    "findings-annotated",
    title="Findings",
    applies=lambda run: _subject(run, ()) is not None,
)
def findings_annotated(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """The series that most faults are about, with each of its faults shaded and numbered.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        None draws into a new figure, with the faults in words below.
    findings : sequence of Finding

    Returns
    -------
    Axes
    """
    run = single(run_or_runs)
    told = numbered(findings)[:_TOLD] if ax is None else []
    extra = 0.1 + 0.2 * len(told) if told else 0.0
    ax = axes_or_new(ax, 9.0, 3.8 + extra)
    if extra:
        _make_room(ax, extra)
    series = _subject(run, findings)
    if series is None:
        return nothing(ax, "Findings", "no loss or quality metric in this log")
    curve = make_curve(series)
    draw_curve(ax, curve, {"color": COLOURS[0]})
    finish_axes(ax, [curve])
    head(ax, named(series), summary(series), COLOURS[0])
    shade(ax, findings, [series], phase_ticks(ax, run))
    attempt_lines(ax, series)
    tell(ax, told)
    return ax


def tell(ax: Axes, told: Sequence[tuple[int, Finding]], below: float = 0.42) -> None:
    """Write faults below some axes, one a line: number, severity, rule, steps, fact.

    Parameters
    ----------
    ax : Axes
    told : sequence of (number, Finding)
    below : float
        Inches between the axes and the first line.
    """
    size = ax.get_window_extent()
    dpi = float(ax.get_figure(root=True).dpi)  # type: ignore[union-attr]  # drawn axes have one
    before = 0.84 * dpi
    for row, (number, finding) in enumerate(told):
        y = -(below + 0.2 * row) * dpi / size.height
        colour = SEVERITIES[finding.severity.value]
        put(ax, 0.0, y, f"{number} {finding.severity.value}", fontsize=FONT, color=colour)
        where = words.steps(finding.first_step, finding.last_step)
        fact = " · ".join(t for t in (finding.rule, where, finding.message) if t)[:_LONGEST]
        text = put(ax, before / size.width, y, fact, limit=_LONGEST, fontsize=FONT, color=SOFT)
        # The beginning of a message tells most, so it is cut at the end.
        cut_to(text, fact, size.width - before, middle=False)


def _make_room(ax: Axes, extra: float) -> None:
    box = ax.get_position()
    share = extra / float(ax.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]  # as above
    ax.set_position((box.x0, box.y0 + share, box.width, box.height - share))
