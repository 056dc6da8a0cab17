"""Spikes and jumps with their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.plots._events import Eventful, Mark, eventful
from trainlens.plots._labels import label_points
from trainlens.plots._lines import (
    LARGEST,
    draw_curve,
    finish_axes,
    make_curve,
    named,
    summary,
    widen,
)
from trainlens.plots._marks import attempt_lines, shade
from trainlens.plots.base import (
    COLOURS,
    INK,
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

RULES = ("loss-spike", "outlier", "validation-jump")
"""Their findings are shaded."""
MOST = 8
"""Events that are told; of more, the largest."""
_NARROW = 500
"""Pixels of the axes."""
MOST_SIGMA = 1e6
"""From here on the noise was next to nothing, and its multiples say no more."""


def _subject(run: Run) -> Series | None:
    """What is looked at for events."""
    return run.main("loss", "train") or run.main("loss") or run.main("metric")


@plot(
    "spikes-and-jumps",
    title="Spikes and jumps",
    applies=lambda run: _subject(run) is not None,
)
def spikes_and_jumps(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Sudden rises of the loss and jumps of validation: value, step, and size in sigma.

    The series with the largest event is shown, and the same metric of another split where that
    has events too. Of more than eight, the largest are told.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Faults of this kind are shaded.

    Returns
    -------
    Axes
    """
    ax, run = axes_or_new(ax, 9.0, 4.0), single(run_or_runs)
    found = eventful(run)
    subject = _subject(run)
    if found:
        held = [e for e in found if e.series.metric == found[0].series.metric][: len(COLOURS)]
    elif subject is not None:
        held = [Eventful(subject, ())]
    else:
        return nothing(ax, "Spikes and jumps", "no loss or quality metric in this log")
    curves = [make_curve(e.series) for e in held]
    for i, curve in enumerate(curves):
        draw_curve(ax, curve, {"color": COLOURS[i]})
    finish_axes(ax, curves)
    marks = sorted((m for e in held for m in e.marks), key=lambda m: -m.sigma)
    told = _mark(ax, marks)
    first = held[0].series
    title = named(first) if len(held) == 1 else first.metric
    keys = [(e.series.split, COLOURS[i]) for i, e in enumerate(held)] if len(held) > 1 else []
    head(ax, title, _right(held, marks), INK if marks else COLOURS[0], keys)
    shade(ax, findings, [e.series for e in held], only=lambda f: f.rule in RULES)
    attempt_lines(ax, first)
    label_points(ax, told, INK)
    return ax


def _mark(ax: Axes, marks: Sequence[Mark]) -> list[tuple[float, float, str]]:
    """A ring around each of the largest events; returns what is to be told beside them."""
    shown = [m for m in marks[:MOST] if abs(m.value) < LARGEST]
    if not shown:
        return []
    if ax.get_yscale() == "linear":
        widen(ax, np.array([m.value for m in shown]))
        low, high = ax.get_ylim()
        # Numbers of findings stand at the upper edge.
        ax.set_ylim(low, high + 0.08 * (high - low))
    ax.plot(
        [m.step for m in shown], [m.value for m in shown], "o", markerfacecolor="none",
        markersize=8, markeredgecolor=INK, markeredgewidth=1.3, zorder=3,
    )  # fmt: skip
    # A narrow panel leaves the step to its axis.
    short = ax.get_window_extent().width < _NARROW
    return [(float(m.step), m.value, _told(m, short)) for m in shown]


def _told(mark: Mark, short: bool) -> str:
    size = f"{words.number(mark.sigma, 2)} sigma" if mark.sigma < MOST_SIGMA else "far out"
    where = "" if short else f" at {words.step(mark.step)}"
    return f"{words.number(mark.value)}{where}, {size}"


def _right(held: Sequence[Eventful], marks: Sequence[Mark]) -> str:
    said = next((e.said for e in held if e.said), "")
    if not marks:
        return said or f"no spike or jump · {summary(held[0].series)}"
    count = words.plural(len(marks), "event")
    return f"{count}, the {MOST} largest told" if len(marks) > MOST else count
