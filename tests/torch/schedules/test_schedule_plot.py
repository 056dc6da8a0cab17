"""The picture of schedules: what its lines say, and that it needs no model."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trainlens_torch import schedules as s  # noqa: E402 - after the skip
from trainlens_torch.clock import Clock  # noqa: E402


def test_lines_follow_the_schedules():
    given = [s.Cosine(0.1), s.Step([0.25, 0.75]), s.CosineRestarts(3), s.WarmupStableDecay(0.1)]
    ax = s.plot(*given, base=2.0)
    assert len(ax.lines) == len(given)
    for line, schedule in zip(ax.lines, given, strict=True):
        x, y = line.get_data()
        assert (x[0], x[-1]) == (0.0, 1.0)
        between = np.linspace(0, 1, 998)
        true = [2.0 * schedule(p) for p in between]
        assert np.interp(between, x, y) == pytest.approx(true, abs=1e-3)
    assert ax.get_xlabel() == "share of the training"


def test_a_step_is_drawn_upright():
    x, y = s.plot(s.Step([0.3])).lines[0].get_data()
    assert x == pytest.approx([0, 0.3, 0.3, 1], abs=1e-11)
    assert list(y) == [1.0, 1.0, 0.1, 0.1]


@pytest.mark.parametrize(
    ("total", "end", "name"),
    [(10_000, 10_000, "optimizer updates"), ("20ep", 20, "epochs"), ("1e9tok", 1e9, "tokens"),
     (Clock("40ep", updates_per_epoch=5), 40, "epochs")],
)  # fmt: skip
def test_the_axis_is_that_of_the_clock(total, end, name):
    ax = s.plot(s.Cosine(), total=total)
    assert ax.get_xlim() == (0.0, end)
    assert ax.get_xlabel() == name


def test_updates_need_a_total():
    chain = s.Chain(s.LinearWarmup("500ba"), s.Cosine())
    x, y = s.plot(chain, total=10_000).lines[0].get_data()
    assert np.interp([250, 500], x, y) == pytest.approx([0.5, 1.0], abs=1e-3)
    with pytest.raises(ValueError, match="only be told by a clock"):
        s.plot(chain)


def test_labels_say_what_was_given():
    chain = s.Chain(s.LinearWarmup(0.1), s.Cosine(end=0.01))
    given = [chain, s.Custom(lambda p: p, name="mine"), s.Step([0.1] * 9), s.Linear()]
    texts = [t.get_text() for t in s.plot(*given).get_legend().get_texts()]
    assert texts == [
        "LinearWarmup to 0.1, then Cosine(end=0.01)",
        "mine",
        "Step(at=[0.1, 0.1, 0.1, 0.1, …])",
        "Linear",
    ]
    own = s.plot(s.Linear(), labels=["lr"]).get_legend().get_texts()
    assert [t.get_text() for t in own] == ["lr"]
    with pytest.raises(ValueError, match="2 labels were given for 1 schedule"):
        s.plot(s.Linear(), labels=["a", "b"])
    with pytest.raises(ValueError, match="no schedule"):
        s.plot()


def test_axes_that_are_given_are_returned():
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 2)
    assert s.plot(s.Cosine(), s.Linear(), ax=axes[1]) is axes[1]
    assert not axes[0].lines


def test_all_of_them_are_drawn_within_the_picture(tmp_path):
    """Nothing is cut off: no ink on the rim, and the legend above the lines."""
    from matplotlib.image import imread

    every = [s.Constant(), s.LinearWarmup(0.1), s.Ramp(), s.OneCycle(), s.Exponential(1e-9),
             s.Piecewise([0.5], [-3.0, 8.0]), s.Custom(lambda p: p * p), s.InverseSqrt(0.1),
             s.CosineRestarts(10_000), s.Chain(s.LinearWarmup(0.1), s.Cosine())]  # fmt: skip
    ax = s.plot(*every, base=1e-5, total=1_000_000)
    ax.figure.savefig(tmp_path / "a.png")
    ink = (imread(tmp_path / "a.png")[..., :3] < 0.9).any(axis=-1)
    assert ink.sum() > 5000
    assert not ink[0].any()
    assert not ink[-1].any()
    assert not ink[:, 0].any()
    assert not ink[:, -1].any()


def test_a_constant_zero_can_be_drawn():
    assert s.plot(s.Constant(0.0)).get_ylim()[1] > 0


def test_schedules_load_without_torch_and_matplotlib():
    code = (
        "import sys, trainlens_torch.schedules as s; s.Cosine()(0.5);"
        "print([m for m in ('torch', 'matplotlib', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
