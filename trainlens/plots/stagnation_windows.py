"""Where the loss stands still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.plots._flat import Flat, flat_stretches
from trainlens.plots._lines import (
    Curve,
    best,
    draw_curve,
    finish_axes,
    make_curve,
    named,
)
from trainlens.plots._marks import attempt_lines, numbered, phase_ticks, shade
from trainlens.plots._text import put
from trainlens.plots.base import (
    COLOURS,
    FONT,
    INK,
    SMALL,
    SOFT,
    RunOrRuns,
    axes_or_new,
    head,
    nothing,
    plot,
    single,
)
from trainlens.plots.findings_annotated import tell
from trainlens.rules.base import Finding
from trainlens.run import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RULES = ("stagnation", "never-learned")
"""Their findings are shaded."""
_LINE = 0.2
"""Inches of a line of words below the axes."""
_TOLD = 4


def _loss(run: Run) -> Series | None:
    series = run.main("loss", "train") or run.main("loss")
    return series if series is not None and len(series.finite) > 1 else None


@plot("stagnation-windows", title="Stagnation", applies=lambda run: _loss(run) is not None)
def stagnation_windows(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """The loss with the stretches in which it surely stands still, and its best value so far.

    A stretch in grey is at least three twentieths of the run long and moves by less than 2 % of
    the value with 95 % certainty; that alone is no fault. What the rules call one is shaded in
    the colour of its severity.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        None draws into a new figure, with the stretches in words below.
    findings : sequence of Finding

    Returns
    -------
    Axes
    """
    run, alone = single(run_or_runs), ax is None
    series = _loss(run)
    flat = flat_stretches(series) if series is not None else []
    told = [(n, f) for n, f in numbered(findings) if f.rule in RULES]
    lines = (max(len(flat[:_TOLD]), 1) + len(told)) if alone else 0
    ax = axes_or_new(ax, 9.0, 3.8, 0.1 + _LINE * lines if lines else 0.0)
    if series is None:
        return nothing(ax, "Stagnation", "fewer than 2 finite values of a loss")
    curve = make_curve(series)
    draw_curve(ax, curve, {"color": COLOURS[0]})
    _best_so_far(ax, curve)
    finish_axes(ax, [curve])
    for stretch in flat:
        ax.axvspan(stretch.first, stretch.last, color=SOFT, alpha=0.14, linewidth=0)
        _label(ax, stretch)
    head(ax, named(series), _right(series, flat), COLOURS[0], [("best so far", INK)])
    shade(ax, findings, [series], phase_ticks(ax, run), lambda f: f.rule in RULES)
    attempt_lines(ax, series)
    if alone:
        _words(ax, flat)
        tell(ax, told, 0.42 + _LINE * max(len(flat[:_TOLD]), 1))
    return ax


def _best_so_far(ax: Axes, curve: Curve) -> None:
    """The lowest value up to each step."""
    low = np.where(np.isfinite(curve.buckets.low), curve.buckets.low, np.inf)
    held = np.minimum.accumulate(low)
    held[~np.isfinite(held)] = np.nan
    ax.plot(curve.buckets.last, held, color=INK, linewidth=0.9, drawstyle="steps-post")


def _right(series: Series, flat: Sequence[Flat]) -> str:
    share = sum(one.share for one in flat)
    parts = [f"flat for {words.percent(share, 2)} of the run"] if flat else ["nowhere surely flat"]
    if (found := best(series)) is not None:
        parts.append(f"best {words.number(found[0])} at {words.step(found[1])}")
    return " · ".join(parts)


def _label(ax: Axes, stretch: Flat) -> None:
    """What the loss does there, where the stretch is wide enough for the words."""
    text = put(
        ax, stretch.first / 2 + stretch.last / 2, 0.80, _moved(stretch), ha="center", va="top",
        fontsize=SMALL, color=INK, transform=ax.get_xaxis_transform(),
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5},
    )  # fmt: skip
    left, right = ax.transData.transform([(stretch.first, 0.0), (stretch.last, 0.0)])[:, 0]
    if text.get_window_extent().width > right - left:
        text.remove()


def _moved(stretch: Flat) -> str:
    if abs(stretch.moved) < 0.0005:
        return "moved by less than 0.05 %"
    way = "fell" if stretch.moved > 0 else "rose"
    return f"{way} by {words.percent(abs(stretch.moved), 2)}"


def _words(ax: Axes, flat: Sequence[Flat]) -> None:
    size = ax.get_window_extent()
    dpi = float(ax.get_figure(root=True).dpi)  # type: ignore[union-attr]  # drawn axes have one
    said = [
        f"{words.steps(one.first, one.last).capitalize()}, {words.percent(one.share, 2)} of the "
        f"run: it {_moved(one)}, to within {words.percent(one.error, 2)} at 95 %."
        for one in flat[:_TOLD]
    ]
    if len(flat) > _TOLD:
        said[-1] += f" And {len(flat) - _TOLD} more."
    for row, text in enumerate(said or ["No stretch of three twentieths is surely flat."]):
        y = -(0.42 + _LINE * row) * dpi / size.height
        put(ax, 0.0, y, text, limit=130, fontsize=FONT, color=SOFT)
