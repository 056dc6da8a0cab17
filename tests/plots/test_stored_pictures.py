"""Pictures as they were looked at and found good, compared within a tolerance.

``pytest tests/plots --update-golden`` draws them anew; look at them before they are stored.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.text import Text
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.comparison import made
from tests.plots.picture_runs import diagnosed, healthy, sick, stalled
from trainlens import plots
from trainlens.plots._comparing import comparison_plots

STORED = Path(__file__).parent / "pictures"
DPI, BLUR = 60, 1.5
TOLERANCE = 2.5
"""Grey levels of 255 in the tile that differs most; the last tests tell what lies on each side."""


def of_run(name, make=sick):
    held = diagnosed(make())
    return plots.available()[name].draw(held.run, findings=held.findings)


def several(name):
    return plots.available()[name].draw(
        [healthy(f"run-{i:02d}-{'long_' * 12}", 0.1 * i, i, 900) for i in range(12)]
    )


CASES = {
    **{name: (of_run, name) for name in plots.available()},
    "dashboard-healthy": (of_run, "dashboard", healthy),
    "dashboard-stalled": (of_run, "dashboard", stalled),
    "learning-rate-cosine": (of_run, "learning-rate", healthy),
    "stagnation-windows-stalled": (of_run, "stagnation-windows", stalled),
    "loss-curves-12-runs": (several, "loss-curves"),
    **{name: (lambda name: comparison_plots()[name].draw(made.seed_case()), name)
       for name in ("comparison-difference", "matched-steps", "variance-comparison")},
    **{name: (lambda name: comparison_plots()[name].draw(made.groups()), name)
       for name in ("seed-bands", "run-scores")},
}  # fmt: skip


def small(ax):
    """A picture in few pixels, as the bytes of a PNG, and where its texts are."""
    figure = plots.figure_of(ax)
    with rc_context({"savefig.dpi": DPI}):
        png = plots.figure_bytes(figure)
    figure.set_dpi(DPI)
    return png, texts(figure, *Image.open(io.BytesIO(png)).size)


def texts(figure, width, height):
    """Which pixels are text, with some room around: other versions of a font are no other picture.

    What texts say is tested where they are made.
    """
    mask = np.zeros((height, width), bool)
    for text in figure.findobj(lambda a: isinstance(a, Text) and a.get_text()):
        box = text.get_window_extent()
        away = 5 + 0.05 * box.width
        rows = slice(max(int(height - box.y1 - 5), 0), max(int(height - box.y0 + 5), 0))
        mask[rows, max(int(box.x0 - away), 0) : max(int(box.x1 + away), 0)] = True
    return mask


def grey(png, mask):
    """Grey levels from 0 to 255 without text, a little blurred against other edges of lines."""
    level = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)
    if level.shape != mask.shape:
        return None
    return gaussian_filter(np.where(mask, 255.0, level), BLUR)


def apart(first, second, mask):
    """Root mean square difference where two pictures differ most, in tiles of an inch.

    Infinite where their sizes differ.
    """
    one, other = grey(first, mask), grey(second, mask)
    if one is None or other is None:
        return np.inf
    square = (one - other) ** 2
    return max(
        float(np.sqrt(square[y : y + DPI, x : x + DPI].mean()))
        for y in range(0, square.shape[0], DPI)
        for x in range(0, square.shape[1], DPI)
    )


def stored_as(png):
    """The same in 96 colours: a fifth of the bytes."""
    buffer = io.BytesIO()
    rgb = Image.open(io.BytesIO(png)).convert("RGB")
    rgb.quantize(96, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_as_it_was(case, request):
    draw, *how = CASES[case]
    (png, mask), stored = small(draw(*how)), STORED / f"{case}.png"
    if request.config.getoption("--update-golden"):
        stored.write_bytes(stored_as(png))
    difference = apart(png, stored.read_bytes(), mask)
    assert difference < TOLERANCE, f"{difference:.2f} grey levels from {stored.name}: look at both"


def test_every_stored_picture_is_compared_and_small():
    size = {p.stem: p.stat().st_size for p in STORED.glob("*.png")}
    assert set(size) == set(CASES)
    assert max(size.values()) < 60_000
    assert sum(size.values()) < 700_000


def curves(figure):
    """Lines of the width that curves have: the first, one of the middle and the last."""
    found = [
        line
        for ax in figure.axes
        for line in ax.lines
        if 1.4 < line.get_linewidth() < 2 and len(line.get_xdata()) > 2
    ]
    return {id(found[i]): found[i] for i in (0, len(found) // 2, -1)}.values()


@pytest.mark.parametrize(
    "case", ["dashboard-healthy", "loss-curves-12-runs", "learning-rate-cosine", "seed-bands"]
)
def test_a_picture_without_one_of_its_curves_is_another(case):
    draw, *how = CASES[case]
    ax = draw(*how)
    whole, mask = small(ax)
    for line in curves(plots.figure_of(ax)):
        line.set_visible(False)
        assert apart(small(ax)[0], whole, mask) > 1.5 * TOLERANCE
        line.set_visible(True)
    assert apart(small(ax)[0], whole, mask) < TOLERANCE


@pytest.mark.parametrize("case", ["spikes-and-jumps", "stagnation-windows-stalled"])
def test_letters_drawn_otherwise_are_the_same_picture(case):
    draw, *how = CASES[case]
    whole, mask = small(draw(*how))
    with rc_context({"text.hinting": "none"}):
        other, _ = small(draw(*how))
    assert apart(other, whole, np.zeros_like(mask)) > 0
    assert apart(other, whole, mask) < TOLERANCE
