"""The layers of trainlens: a picture of what imports what, and a list of the parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docs.make.imports import COMPANION, layers, needed, title, uses
from docs.make.marks import between
from trainlens.plots.base import COLOURS, FONT, INK, RULE, SMALL, SOFT, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE, PICTURE = "architecture.md", "architecture.png"
LAYERS = (
    ("Ground", "Errors, words, files, the log's own format: what knows nothing of runs."),
    ("Data", "What a run is, what its metrics mean, and mathematics on plain arrays."),
    ("Detectors", "What is seen while the values come in, point by point."),
    ("Expectations", "What a run should show, written down, measured and checked."),
    ("Reading, judging", "Formats become runs; rules judge one run; a comparison judges two."),
    ("What follows", "Causes, changes, pictures, verdicts, reports: data, not yet text."),
    ("Pages", "Text, HTML, Markdown, JSON."),
    ("Work on a run", "What is done with a run where it is read."),
    ("Beside the run", "Reports put where the experiment lives."),
    ("Many runs", "The same over many runs, in processes or on a cluster."),
    ("Watching", "The same again and again, while the runs are written."),
    ("Calls", "What Python programs call."),
    ("Commands", "What a terminal calls."),
    ("Entry", "`python -m trainlens`."),
)
"""Name and sentence of each layer, the lowest first."""
_WIDE, _ROW, _BOX, _SIDE, _BESIDE = 12.6, 0.62, 0.28, 1.5, 1.6
_LETTER, _PAD = 0.072, 0.16
Place = tuple[float, float, float]


def pages() -> dict[str, str]:
    """The page of the architecture with its layers."""
    held = (Path(__file__).resolve().parents[1] / PAGE).read_text(encoding="utf-8")
    return {PAGE: between(held, "layers", _list())}


def pictures() -> dict[str, Callable[[], Figure]]:
    """The layers."""
    return {PICTURE: draw}


def _list() -> str:
    parts = []
    for (name, sentence), held in reversed(list(zip(LAYERS, layers(), strict=True))):
        lines = [f"- `{part}`: {title(part)}." for part in held]
        parts.append("\n".join([f"**{name}.** {sentence}\n", *lines]))
    return "\n\n".join(parts)


def draw() -> Figure:
    """Boxes in rows, a line for each import that does not follow from the others."""
    found = needed(uses())
    places = _placed(found)
    high = _ROW * len(layers()) + 0.3
    figure = new_figure(_WIDE, high)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0, _WIDE)
    ax.set_ylim(0, high)
    ax.axis("off")
    _rows(ax)
    ax.text(
        _WIDE - 0.1, high - 0.3, "A line: imports it. What follows\nfrom other lines is not drawn.",
        fontsize=SMALL, color=SOFT, ha="right", va="center",
    )  # fmt: skip
    for part, used in found.items():
        for other in used:
            _line(ax, places[part], places[other], companion=part == COMPANION)
    for part, place in places.items():
        _box(ax, part, place)
    return figure


def _placed(found: Mapping[str, frozenset[str]]) -> dict[str, Place]:
    """Centre and width of each box: near what it uses, apart from its neighbours."""
    places: dict[str, Place] = {}
    for row, parts in enumerate(layers()):
        wanted = {p: _wanted(found[p], places) for p in parts}
        order = sorted(parts, key=lambda p: (wanted[p], p))
        widths = [_width(p) for p in order]
        x = _spread([wanted[p] for p in order], widths)
        for part, centre, width in zip(order, x, widths, strict=True):
            places[part] = (centre, 0.3 + _ROW * row, width)
    places[COMPANION] = (_WIDE - _BESIDE / 2, 0.3 + _ROW * 3.5, _width(COMPANION))
    return places


def _wanted(used: frozenset[str], places: Mapping[str, Place]) -> float:
    held = [places[u][0] for u in used if u in places]
    return float(np.mean(held)) if held else (_SIDE + _WIDE - _BESIDE) / 2


def _spread(wanted: list[float], widths: list[float]) -> list[float]:
    """Places as near as can be to those that are wanted, left to right, without overlap."""
    gap, left, right = 0.12, _SIDE, _WIDE - _BESIDE - 0.1
    x: list[float] = []
    edge = left
    for want, width in zip(wanted, widths, strict=True):
        x.append(max(want, edge + width / 2))
        edge = x[-1] + width / 2 + gap
    edge = right
    for i in reversed(range(len(x))):
        x[i] = min(x[i], edge - widths[i] / 2)
        edge = x[i] - widths[i] / 2 - gap
    return x


def _width(part: str) -> float:
    return _PAD + _LETTER * len(part)


def _rows(ax: Axes) -> None:
    for row, (name, _) in enumerate(LAYERS):
        y = 0.3 + _ROW * row
        ax.plot([0.1, _WIDE - _BESIDE], [y - _ROW / 2] * 2, color=RULE, linewidth=0.8, zorder=0)
        ax.text(0.1, y, name, fontsize=FONT, color=SOFT, va="center")


def _line(ax: Axes, user: Place, used: Place, *, companion: bool) -> None:
    level, across = user[1] == used[1], user[0] - used[0]
    begin = (user[0], user[1] + (_BOX / 2 if level else -_BOX / 2))
    end = (used[0], used[1] + _BOX / 2)
    # Within a row a line rises above the boxes, whatever its length.
    rise = np.sign(across) * min(0.3, 0.3 / max(abs(across), 0.1)) if level else 0.0
    bend = f"arc3,rad={rise:.3f}"
    style = {"arrowstyle": "-|>", "mutation_scale": 7, "connectionstyle": bend, "linewidth": 0.8}
    colour = COLOURS[1] if companion else COLOURS[0]
    ax.annotate("", end, begin, arrowprops={**style, "color": colour, "alpha": 0.55}, zorder=1)


def _box(ax: Axes, part: str, place: Place) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y, width = place
    edge = COLOURS[1] if part == COMPANION else COLOURS[0]
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - _BOX / 2),
            width,
            _BOX,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="white",
            edgecolor=edge,
            linewidth=1.0,
            zorder=2,
        )
    )
    ax.text(x, y, part, fontsize=SMALL, color=INK, ha="center", va="center", zorder=3)
