"""One sheet a run: every plot that the run has data for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.plots._marks import numbered
from trainlens.plots._text import cut_to, put
from trainlens.plots.base import (
    FONT,
    INK,
    LEFT,
    RIGHT,
    SOFT,
    Plot,
    RunOrRuns,
    available,
    new_figure,
    place,
    plot,
    single,
)
from trainlens.plots.findings_annotated import tell
from trainlens.plots.spikes_and_jumps import RULES as EVENTS
from trainlens.plots.stagnation_windows import RULES as STAGNATION
from trainlens.rules.base import Finding, Severity
from trainlens.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In this order, as far as the run has data for them.
PANELS = (
    "loss-curves",
    "train-validation",
    "learning-rate",
    "planned-schedules",
    "gradient-norm",
    "moving-average-and-rate",
    "stagnation-windows",
    "spikes-and-jumps",
    "system-metrics",
)
_WIDE = ("system-metrics",)
MOST = 12
"""Panels of a sheet."""
_TELLING = {"stagnation-windows": STAGNATION, "spikes-and-jumps": EVENTS}
"""These would only repeat the loss where none of their rules has found a fault that is more than an
information."""
_MACHINE = {"system-metrics": ("slow-batch", "throughput-drop", "memory-pressure", "out-of-memory")}
"""So it is with these on the sheets of a report, of which there may be a dozen."""
WIDTH, PANEL, HEAD, LINE = 10.0, 2.3, 0.5, 0.2
"""Inches: of the sheet, the height of a panel, of the head, and of a line of text."""
_TOLD = 5


def panels(run: Run, findings: Sequence[Finding] = (), brief: bool = False) -> list[Plot]:
    """Plots of the sheet of a run; at least one, at most `MOST`.

    Parameters
    ----------
    run : Run
    findings : sequence of Finding
        Some plots are only worth their place where they show a fault.
    brief : bool
        Without the readings of the machine where no fault is about them.
    """
    plots = available()
    faults = {f.rule for f in findings if f.failed and f.severity is not Severity.INFO}
    telling = _TELLING | _MACHINE if brief else _TELLING
    wanted = [name for name in PANELS if name not in telling or faults & {*telling[name]}]
    held = [plots[name] for name in wanted if plots[name].applies(run)]
    return held[:MOST] or [plots["metric-overlay"]]


@plot("dashboard", title="Overview of a run")
def dashboard(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """All plots that apply to a run, its gravest faults in words below.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        Its place is divided among the plots; None makes a new figure of the right size.
    findings : sequence of Finding

    Returns
    -------
    Axes
        The empty axes that the plots lie in.
    """
    run = single(run_or_runs)
    return _drawn(run, ax, findings, panels(run, findings))


def brief(run: Run, findings: Sequence[Finding]) -> Axes:
    """The `dashboard` of a report: without the machine where no fault is about it."""
    return _drawn(run, None, findings, panels(run, findings, brief=True))


def _drawn(run: Run, ax: Axes | None, findings: Sequence[Finding], chosen: Sequence[Plot]) -> Axes:
    told = numbered(findings)[:_TOLD]
    laid = _laid_out(chosen)
    rows = len(laid)
    feet = 0.12 + LINE * len(told) if told else 0.0
    if ax is None:
        sheet = new_figure(WIDTH, HEAD + PANEL * rows + feet)
        ax = sheet.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    wide, high = figure.get_size_inches()
    box = ax.get_position()
    left, bottom, width, height = box.x0 * wide, box.y0 * high, box.width * wide, box.height * high
    tall = (height - HEAD - feet) / rows
    for row, beside in enumerate(laid):
        size = (width / len(beside), tall)
        for column, chosen_plot in enumerate(beside):
            corner = (left + column * size[0], bottom + feet + (rows - 1 - row) * tall)
            chosen_plot.draw(run, place(figure, (*corner, *size)), findings)
    _head(ax, run, width, height)
    if told:
        _feet(ax, told, width, height, feet)
    return ax


def _laid_out(chosen: Sequence[Plot]) -> list[list[Plot]]:
    """Rows of two; what has panels of its own, and the last of an odd number, alone in its row."""
    narrow = [p for p in chosen if p.name not in _WIDE]
    pairs = [narrow[i : i + 2] for i in range(0, len(narrow), 2)]
    return pairs + [[p] for p in chosen if p.name in _WIDE]


def _head(ax: Axes, run: Run, width: float, height: float) -> None:
    y = 1 - 0.3 / height
    name = put(ax, (LEFT - 0.4) / width, y, run.name, limit=64, fontsize=FONT + 4,
               fontweight="bold", color=INK)  # fmt: skip
    first, last = run.steps or (None, None)
    about = " · ".join(t for t in (words.steps(first, last), run.format) if t)
    right = put(ax, 1 - RIGHT / width, y, about, ha="right", fontsize=FONT, color=SOFT, limit=60)
    room = right.get_window_extent().x0 - name.get_window_extent().x0 - 12
    cut_to(name, run.name, room)


def _feet(
    ax: Axes, told: Sequence[tuple[int, Finding]], width: float, height: float, feet: float
) -> None:
    # A strip without height at the upper end of the feet, from which the lines hang.
    inner = ax.inset_axes(
        ((LEFT - 0.4) / width, (feet - 0.02) / height, 1 - (LEFT - 0.4 + RIGHT) / width, 0.01)
    )
    inner.set_axis_off()
    tell(inner, told, below=0.1)
