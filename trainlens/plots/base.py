"""The registry of plots and the house style. matplotlib is imported where something is drawn.

Adding a plot = adding one file to this folder::

    @plot("loss-curves", title="Training loss", applies=lambda run: ...)
    def loss_curves(run_or_runs, ax=None, findings=()) -> Axes:
        '''One sentence on what the plot shows.'''

It draws into `ax`, or where that is None into a new figure, and returns the axes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from trainlens.plots._text import beside, clip, cut_to, drawable, put
from trainlens.rules.base import Finding
from trainlens.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RunOrRuns = Run | Sequence[Run]

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a89b00",
)  # fmt: skip
"""Okabe and Ito's palette, its black and yellow toned for thin lines on white."""
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2.5), (2, 2), (6, 2, 2, 2))
"""Behind eight colours, the same colours again in dashes: on and off lengths in line widths."""
INK, SOFT, RULE = "#1f2328", "#59636e", "#e3e6e9"
"""Text, minor text, and hairlines."""
SEVERITIES = {"error": "#b3261e", "warning": "#8a5a00", "info": "#1f5fa8"}
FONT = 9.5
"""Points; 13 pixels of a picture drawn at `DPI`."""
SMALL = 8.2
"""The smallest text: 9 pixels where a sheet of 10 inches is shown 800 pixels wide."""
DPI = 100
# Inches that the axes leave around themselves for ticks and titles.
LEFT, RIGHT, TOP, BOTTOM = 0.72, 0.22, 0.42, 0.36
_GAP = 8.0
"""Pixels between two texts on a line."""
_TITLE = 0.6
"""Share of a line that a long title gets at least."""


class Draw(Protocol):
    """What a plot is."""

    def __call__(
        self, run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
    ) -> Axes:
        """Draw into `ax` or a new figure."""


AnyDraw = TypeVar("AnyDraw", bound=Draw)


@dataclass(frozen=True)
class Plot:
    """A registered plot.

    Parameters
    ----------
    name : str
        Kebab-case.
    title : str
    draw : Draw
    applies : callable
        Whether a run has what the plot needs.
    several : bool
        Whether it draws several runs over each other.
    """

    name: str
    title: str
    draw: Draw
    applies: Callable[[Run], bool]
    several: bool = False

    @property
    def about(self) -> str:
        """First paragraph of the docstring."""
        return (inspect.getdoc(self.draw) or self.title).split("\n\n")[0]


_registry: dict[str, Plot] = {}


def plot(
    name: str,
    *,
    title: str,
    applies: Callable[[Run], bool] = lambda run: bool(run.points),
    several: bool = False,
) -> Callable[[AnyDraw], AnyDraw]:
    """Register a plot under a name.

    Raises
    ------
    ValueError
        Another module has a plot of this name.
    """

    def register(draw: AnyDraw) -> AnyDraw:
        held = _registry.get(name)
        if held is not None and inspect.getmodule(held.draw) is not inspect.getmodule(draw):
            raise ValueError(f"two plots are called {name!r}")
        _registry[name] = Plot(name, title, draw, applies, several)
        return draw

    return register


@cache
def available() -> Mapping[str, Plot]:
    """Every plot of this folder by name."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{package}.{module.name}")
    return dict(sorted(_registry.items()))


def as_runs(run_or_runs: RunOrRuns) -> Sequence[Run]:
    """A sequence of runs, whatever was given."""
    return [run_or_runs] if isinstance(run_or_runs, Run) else list(run_or_runs)


def single(run_or_runs: RunOrRuns) -> Run:
    """The only run that was given.

    Raises
    ------
    ValueError
        None or several were given to a plot that shows one.
    """
    runs = as_runs(run_or_runs)
    if len(runs) != 1:
        raise ValueError(f"this plot shows one run, {len(runs)} were given")
    return runs[0]


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of a size in inches that nothing global knows about."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def axes_or_new(
    ax: Axes | None, width: float = 8.0, height: float = 3.6, below: float = 0.0
) -> Axes:
    """`ax`, or axes that fill a new figure, in the house style: no frame, hairlines.

    Parameters
    ----------
    ax : Axes, optional
    width, height : float
        Inches of a new figure.
    below : float
        Inches that a new figure has below, for a legend or words.
    """
    if ax is None:
        figure = new_figure(width, height + below)
        ax = place(figure, (0.0, below, width, height))
    for side, spine in ax.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(RULE)
    ax.set_axisbelow(True)
    # Every plot sets its limits itself; matplotlib's own margins overflow at 1e308.
    ax.set_autoscale_on(False)
    ax.grid(axis="y", color=RULE, linewidth=0.8)
    ax.tick_params(axis="x", length=3, width=0.8, color=SOFT, labelcolor=SOFT, labelsize=FONT - 0.5)
    ax.tick_params(axis="y", length=0, labelcolor=SOFT, labelsize=FONT - 0.5)
    return ax


def place(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes inside a box of a figure, with room for their ticks and titles.

    Parameters
    ----------
    figure : Figure
    box : (left, bottom, width, height)
        Inches from the lower left corner.
    """
    left, bottom, width, height = box
    wide, high = figure.get_size_inches()
    inner = (
        (left + LEFT) / wide,
        (bottom + BOTTOM) / high,
        max(0.2, width - LEFT - RIGHT) / wide,
        max(0.2, height - TOP - BOTTOM) / high,
    )
    return figure.add_axes(inner)


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the run at a place among all runs."""
    style: dict[str, Any] = {"color": COLOURS[index % len(COLOURS)]}
    if dashes := DASHES[index // len(COLOURS) % len(DASHES)]:
        style["dashes"] = dashes
    return style


def head(
    ax: Axes,
    left: str,
    right: str = "",
    colour: str = SOFT,
    keys: Sequence[tuple[str, str]] = (),
) -> None:
    """Title at the left above the axes, latest and best value at the right.

    What does not fit is left out: parts of the right behind a middle dot, then letters of the left.

    Parameters
    ----------
    ax : Axes
    left, right : str
    colour : str
        Of the text at the right.
    keys : sequence of (name, colour)
        Names of the curves, behind the title.
    """
    wide = ax.get_window_extent().width
    text = put(ax, 0.0, 1.04, left, limit=120, fontsize=FONT + 0.5, fontweight="bold", color=INK)
    last, names = text, []
    for name, own in keys:
        names.append(last := beside(ax, last, name, fontsize=FONT, color=own))
    taken = sum(one.get_window_extent().width + _GAP for one in names)
    # What the title must have: all of it, where that is less than half of the line.
    title = min(text.get_window_extent().width, _TITLE * wide)
    if right:
        taken += _at_the_right(ax, right, wide - taken - title - _GAP, colour)
    cut_to(text, left, wide - taken - _GAP)


def _at_the_right(ax: Axes, right: str, most: float, colour: str) -> float:
    """Write at the right as many parts as fit, or nothing; returns the width taken."""
    parts = right.split(" · ")
    text = put(ax, 1.0, 1.04, right, limit=200, ha="right", fontsize=FONT, color=colour)
    while (width := text.get_window_extent().width) > most:
        parts.pop()
        if not parts:
            text.remove()
            return 0.0
        text.set_text(drawable(clip(" · ".join(parts), 200)))
    return float(width) + _GAP


def nothing(ax: Axes, left: str, why: str) -> Axes:
    """An empty plot that says why it is empty."""
    head(ax, left)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    put(ax, 0.5, 0.5, why, limit=80, ha="center", va="center", fontsize=FONT, color=SOFT)
    return ax
