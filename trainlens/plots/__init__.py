"""Diagnostic pictures: one plot a file, drawn by matplotlib without its global state."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.errors import UsageError
from trainlens.plots._files import figure_bytes, save
from trainlens.plots.base import Plot, available
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity
from trainlens.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainlens.comparison.model import Comparison, Key

__all__ = [
    "Picture",
    "Plot",
    "available",
    "comparison_figure",
    "comparison_pictures",
    "comparison_sheet",
    "draw_report",
    "figure_bytes",
    "figure_of",
    "metric_figure",
    "overlays",
    "pictures",
    "save",
    "sheet",
    "telling",
    "with_sheet",
]

SHEETS, _SOUND, _OVERLAYS = 12, 4, 4
"""Pictures of a report: one for each of so many runs, of which so many without a fault; and one for
each of so many metrics."""


@dataclass(frozen=True)
class Picture:
    """A picture of a report that has not been drawn yet; the name holds no name of a run."""

    name: str
    draw: Callable[[], Figure]


def pictures(diagnoses: Sequence[Diagnosis]) -> list[Picture]:
    """What is drawn for a report whose points are at hand: `sheet`s, then `overlays`.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis

    Returns
    -------
    list of Picture
    """
    chosen = with_sheet([(d.run.points > 0, d.findings) for d in diagnoses])
    return [sheet(diagnoses[i], i) for i in chosen] + overlays([d.run for d in diagnoses])


def with_sheet(runs: Sequence[tuple[bool, Sequence[Finding]]]) -> list[int]:
    """Which runs get a sheet: twelve at most, those with the gravest faults first.

    Parameters
    ----------
    runs : sequence of (bool, sequence of Finding)
        Whether the run holds a point, and its findings.

    Returns
    -------
    list of int
        Ascending.
    """
    held = [i for i, (any_point, found) in enumerate(runs) if any_point and telling(i, found)]
    return sorted(sorted(held, key=lambda i: -_rank(runs[i][1]))[:SHEETS])


def telling(place: int, findings: Sequence[Finding]) -> bool:
    """Whether the run at this place, from 0, deserves a sheet whatever the others are.

    Runs with a warning or an error do, and the first four: drawing takes longer than all else, and
    a dozen healthy runs look alike.
    """
    return place < _SOUND or any(f.severity is not Severity.INFO for f in findings)


def sheet(diagnosis: Diagnosis, place: int) -> Picture:
    """The sheet of a run, which has this place among all runs, from 0."""
    return Picture(sheet_name(place), partial(_sheet, diagnosis))


def sheet_name(place: int) -> str:
    """File name of the sheet of the run at this place, from 0."""
    return f"run-{place + 1:02d}-dashboard.png"


def overlays(runs: Sequence[Run]) -> list[Picture]:
    """One picture for each of up to four metrics that several runs share."""
    from trainlens.plots.metric_overlay import shared_keys

    return [
        Picture(f"metric-{number:02d}-overlay.png", partial(_overlay, runs, metric, split))
        for number, (metric, split) in enumerate(shared_keys(runs)[:_OVERLAYS], 1)
    ]


def draw_report(wanted: Sequence[Picture], folder: Path) -> list[Path]:
    """Draw pictures into a folder that exists.

    Parameters
    ----------
    wanted : sequence of Picture
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    return [save(picture.draw(), folder / picture.name) for picture in wanted]


def ready() -> None:
    """Import all that drawing needs, ahead of time, in a process that does nothing else.

    While it is imported, matplotlib writes documentation for every setter of every artist, a
    fifth of its import time; here nobody will read it.
    """
    artist = importlib.import_module("matplotlib.artist")
    artist.kwdoc = lambda _: ""  # type: ignore[attr-defined]  # a module takes any attribute
    importlib.import_module("matplotlib.backends.backend_agg")
    importlib.import_module("matplotlib.figure")
    importlib.import_module("trainlens.plots.dashboard")


def _sheet(diagnosis: Diagnosis) -> Figure:
    from trainlens.plots.dashboard import brief

    return figure_of(brief(diagnosis.run, diagnosis.findings))


def _rank(findings: Sequence[Finding]) -> int:
    return max((1 + f.severity.rank for f in findings), default=0)


def metric_figure(
    runs: Sequence[Run],
    metric: str,
    split: str | None = None,
    smooth: float = 0.0,
    log_y: bool = False,
) -> Figure:
    """A metric of several runs as a figure, for `save`.

    Parameters
    ----------
    runs : sequence of Run
    metric : str
    split : str, optional
        None shows every split.
    smooth : float in [0, 1)
        Weight of the past in the moving average, as TensorBoard's slider; 0 for none.
    log_y : bool

    Returns
    -------
    Figure
    """
    return _overlay(runs, metric, split, smooth, log_y)


def _overlay(
    runs: Sequence[Run],
    metric: str,
    split: str | None,
    smooth: float | None = None,
    log_y: bool | None = None,
) -> Figure:
    from trainlens.plots.metric_overlay import metric_overlay

    return figure_of(metric_overlay(runs, metric=metric, split=split, smooth=smooth, log_y=log_y))


def comparison_sheet(comparison: Comparison, key: Key | None = None) -> Figure:
    """Every picture of one metric of a comparison as a figure, for `save`.

    Parameters
    ----------
    comparison : Comparison
    key : (metric, split), optional
        None takes the most telling metric.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The comparison has no such metric.
    """
    from trainlens.plots import _sheets

    return _sheets.sheet(comparison, key)


def comparison_figure(comparison: Comparison, name: str) -> Figure:
    """One picture of the most telling metric of a comparison as a figure, for `save`.

    Parameters
    ----------
    comparison : Comparison
    name : str
        ``comparison`` for the whole sheet, or a registered picture: ``comparison-difference``,
        ``seed-bands``, ...

    Returns
    -------
    Figure

    Raises
    ------
    UsageError
        There is no such picture, or the comparison has nothing that it could show.
    """
    from trainlens.plots._comparing import chosen, comparison_plots

    known = comparison_plots()
    if name == "comparison":
        return comparison_sheet(comparison)
    if name not in known:
        there = words.nearest(name, ["comparison", *known])
        raise UsageError(f"there is no picture {name!r} of a comparison; {there}")
    key = chosen(comparison, None)
    if not known[name].applies(comparison, key):
        raise UsageError(f"{name}: these runs have nothing that it could show of {'/'.join(key)}")
    return figure_of(known[name].draw(comparison, key))


def comparison_pictures(comparison: Comparison) -> list[Picture]:
    """One sheet for each of the most telling metrics of a comparison."""
    from trainlens.plots import _sheets

    return [
        Picture(f"comparison-{number:02d}.png", partial(comparison_sheet, comparison, key))
        for number, key in enumerate(_sheets.telling(comparison), 1)
    ]


def figure_of(ax: Axes) -> Figure:
    """The figure that some axes belong to.

    Raises
    ------
    ValueError
        They belong to none.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    return figure
