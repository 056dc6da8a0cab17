"""The axes of a sweep show which setting goes with the result, and nothing that chance gives."""

import numpy as np
import pytest

from trainlens.reporting.runs import RunSummary, Standing
from trainlens.reporting.sweep import sweep


def summary(index, best, direction="min"):
    held = Standing("loss", "val", "", direction, best, 10, best, 0.0)
    return RunSummary(
        index=index, name=f"r{index}", source="", format="", verdict="healthy", sentence="",
        counts={}, steps=(0, 10), points=11, attempts=(), age=None, running=False, seconds=None,
        rate=None, gaps=(), standing=held, spark=np.empty(0), colour=None, dash=0, config=(),
        phases=(), clock=None, notices=(),
    )  # fmt: skip


def made(values, best, direction="min"):
    runs = [summary(i, float(b), direction) for i, b in enumerate(best)]
    differences = [(name, tuple(str(v) for v in held)) for name, held in values.items()]
    return sweep(runs, differences)


def test_the_setting_that_decides_stands_next_to_the_result():
    rng = np.random.default_rng(0)
    lr, noise = 10 ** rng.uniform(-5, -1, 200), rng.uniform(size=200)
    # The best lies in the middle: no rank correlation would see it.
    best = (np.log10(lr) + 3) ** 2 + 0.05 * rng.normal(size=200)
    held = made({"lr": lr, "noise": noise, "kind": ["a", "b"] * 100}, best)
    assert [a.name for a in held.axes][-2:] == ["lr", "best val/loss"]
    strength = {a.name: a.explains for a in held.axes}
    assert strength["lr"] > 0.85
    assert strength["noise"] < 0.1
    assert strength["kind"] < 0.1
    assert held.runs[-1] == int(np.argmin(best))
    assert held.rank[-1] == 1.0
    assert held.rank[0] == 0.0


@pytest.mark.parametrize(("direction", "choose"), [("min", np.argmin), ("max", np.argmax)])
def test_the_best_run_comes_last_whichever_way_is_better(direction, choose):
    best = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 8.0, 7.0])
    held = made({"lr": range(8)}, best, direction)
    assert held.runs[-1] == int(choose(best))
    assert list(held.rank) == sorted(held.rank)


def test_chance_explains_nothing_on_average():
    rng = np.random.default_rng(1)
    found = [
        made({"x": rng.uniform(size=60)}, rng.normal(size=60)).axes[0].explains for _ in range(200)
    ]
    assert np.mean(found) < 0.06


def test_places_run_from_zero_to_one_and_missing_settings_have_none():
    held = made({"lr": ["1e-4", "", *["1e-2"] * 7]}, range(9))
    place = dict(zip(held.runs, held.axes[0].place, strict=True))
    assert place[0] == 0.0
    assert np.isnan(place[1])
    assert place[2] == 1.0
    assert [label for _, label in held.axes[0].ticks] == ["0.0001", "0.01"]


def test_free_texts_are_no_axis():
    assert made({"note": [f"text {i}" for i in range(20)]}, range(20)) is None
    held = made({"note": [f"text {i}" for i in range(20)], "n": range(20)}, range(20))
    assert held.left_out == 1


def test_few_runs_or_no_result_have_no_chart():
    assert made({"lr": range(7)}, range(7)) is None
    assert sweep([], ()) is None
