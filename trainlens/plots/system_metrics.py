"""What the machine does: speed, GPU, CPU, memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.detect.machine import own_axis
from trainlens.plots._lines import draw_curve, finish_axes, make_curve
from trainlens.plots._machine import Quantity, by_time, quantities
from trainlens.plots._marks import shade
from trainlens.plots._panels import panels
from trainlens.plots._text import put
from trainlens.plots.base import (
    SMALL,
    SOFT,
    RunOrRuns,
    axes_or_new,
    head,
    line_style,
    nothing,
    plot,
    single,
)
from trainlens.rules.base import Finding

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"batch-time": "step", "data-time": "data"}
_SPANS = ((172_800.0, 86_400.0, "d"), (7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))
"""From how many seconds on an axis of time counts in which unit."""


@plot(
    "system-metrics",
    title="The machine",
    applies=lambda run: bool(quantities(run)),
)
def system_metrics(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Speed, time of a step, GPU, CPU and memory, a panel each, with their units.

    Readings of the machine that count themselves are shown over the time since the start.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        Its place is divided among as many panels as it has room for; None makes a new sheet.
    findings : sequence of Finding
        Faults of what is shown over steps are shaded.

    Returns
    -------
    Axes
        The empty axes that the panels lie in.
    """
    run = single(run_or_runs)
    held = quantities(run)
    if not held:
        return nothing(axes_or_new(ax), "The machine", "no reading of the machine in this log")
    ax, parts = panels(ax, len(held))
    start = run.wall_times[0] if run.wall_times else None
    for part, quantity in zip(parts, held, strict=False):
        _draw(part, quantity, start, findings)
    return ax


def _draw(ax: Axes, quantity: Quantity, start: float | None, findings: Sequence[Finding]) -> None:
    timed = by_time(quantity, start)
    shown = timed or quantity
    curves = [make_curve(s) for s in shown.series]
    faint = 0.25 if len(curves) < 4 else 0.10
    for i, curve in enumerate(curves):
        draw_curve(ax, curve, line_style(i), faint)
    finish_axes(ax, curves, log_y=False)
    if quantity.unit == "%":
        _percent(ax, shown)
    if timed is not None:
        _time_axis(ax)
    elif own_axis(quantity.series[0]):
        put(ax, 1.0, 0.02, "readings ", ha="right", va="bottom", fontsize=SMALL, color=SOFT)
    unit = f" ({quantity.unit})" if quantity.unit else ""
    names = [
        (_NAMES.get(s.role.name, s.metric), line_style(i)["color"])
        for i, s in enumerate(shown.series)
    ]
    keys = names if 1 < len(names) < 4 and not quantity.devices else []
    head(ax, f"{quantity.name}{unit}", _told(quantity), line_style(0)["color"], keys)
    if timed is None and not own_axis(quantity.series[0]):
        shade(ax, findings, quantity.series, only=lambda f: bool(f.metric))
    _limit(ax, shown)


def _told(quantity: Quantity) -> str:
    value = np.concatenate([s.finite.value for s in quantity.series])
    devices = words.plural(len(quantity.series), "device") if quantity.devices else ""
    if quantity.name == "GPU memory":
        text = f"highest {words.number(float(value.max()), 3)}"
        if quantity.limit and quantity.unit != "%":
            text += f" of {words.number(quantity.limit, 3)}"
    else:
        last = words.number(float(quantity.series[0].finite.value[-1]), 3)
        text = f"median {words.number(float(np.median(value)), 3)} · last {last}"
    return " · ".join(t for t in (text, devices) if t)


def _percent(ax: Axes, quantity: Quantity) -> None:
    top = max(float(s.finite.value.max()) for s in quantity.series)
    ax.set_ylim(-3.0, 1.06 * max(top, 100.0))


def _limit(ax: Axes, quantity: Quantity) -> None:
    """What there is, where it is near enough to be seen."""
    limit, (low, high) = quantity.limit, ax.get_ylim()
    if limit is None or quantity.unit == "%" or limit > 3 * high:
        return
    ax.set_ylim(low, max(high, 1.08 * limit))
    ax.axhline(limit, color=SOFT, linewidth=1, dashes=(4, 3))


def _time_axis(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = ax.get_xlim()
    size, unit = next((size, unit) for least, size, unit in _SPANS if high - low >= least)
    # Ticks at whole numbers of the unit, not of seconds.
    ticks = [size * float(v) for v in MaxNLocator(nbins=5).tick_values(low / size, high / size)]
    # Of a single reading the axis would reach back before the start.
    ax.set_xticks([t for t in ticks if max(low, 0.0) <= t <= high])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{words.number(v / size, 3)} {unit}"))
