"""Pictures of comparisons: they draw what they say, on every kind of comparison, and warn never."""

from dataclasses import replace

import numpy as np
import pytest

from tests.comparison import made
from trainlens import plots
from trainlens.comparison import compare
from trainlens.comparison.between import between
from trainlens.comparison.course import Apart, apart, running
from trainlens.errors import UsageError
from trainlens.plots._comparing import (
    MOST,
    chosen,
    comparison_plots,
    outline,
    points_of,
    shown_arms,
    told_place,
)
from trainlens.plots._sheets import panels_of, telling
from trainlens.run import Run, Series

NAMES = {
    "comparison-difference",
    "comparison-overlay",
    "gap-comparison",
    "matched-steps",
    "run-scores",
    "seed-bands",
    "variance-comparison",
}


def run_of(name, value, step=None, metric="loss", split="val", **more):
    step = np.arange(len(value)) * 10 if step is None else step
    blank = np.full(len(value), np.nan)
    fields = {"wall_time": blank, "epoch": blank, **more}
    series = Series(metric, split, np.asarray(step, np.int64), np.asarray(value, float), **fields)
    return Run(name, f"{name}.jsonl", "jsonl", {(metric, split): series})


def noisy(name, n=300, level=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return run_of(name, level + np.exp(-np.arange(n) / 30) + rng.normal(0, 0.05, n))


def pair(first, second, **how):
    return compare(first, second, rng=np.random.default_rng(0), **how)


ODD = {
    "seed case": made.seed_case,
    "groups": made.groups,
    "five": lambda: made.many(5, 3),
    "hundred": lambda: made.many(100, 2),
    "long": lambda: pair(noisy("a", 5000), noisy("b", 5000, 0.8, 1)),
    "equal": lambda: pair(noisy("a"), noisy("b")),
    "constant": lambda: pair(run_of("a", np.ones(50)), run_of("b", np.ones(50) * 2)),
    "apart": lambda: pair(run_of("a", [1, 2, 3]), run_of("b", [1, 2], step=[900, 910])),
    "one point": lambda: pair(run_of("a", [1.0]), run_of("b", [2.0])),
    "all NaN": lambda: pair(run_of("a", [np.nan] * 9), run_of("b", np.ones(9))),
    "infinite": lambda: pair(run_of("a", [np.inf, 1] * 20), run_of("b", [1, -np.inf] * 20)),
    "extreme": lambda: pair(run_of("a", [1e300, -1e300] * 9), run_of("b", [-1e300, 1e300] * 9)),
    "hostile names": lambda: pair(
        noisy("$\\frac{a}{b}$ \x1b[31m \u202e abc" * 9), noisy("</script>_^{", seed=1)
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_every_picture_and_the_sheet_of_any_comparison(case):
    comparison = ODD[case]()
    for key in telling(comparison)[:1]:
        assert plots.figure_bytes(plots.comparison_sheet(comparison, key)).startswith(b"\x89PNG")
        for drawn in comparison_plots().values():
            # Where it does not apply it says why instead of failing.
            if not drawn.applies(comparison, key):
                assert drawn.draw(comparison, key).texts


def texts(ax):
    found = plots.figure_of(ax).findobj(lambda a: hasattr(a, "get_text"))
    return " | ".join(t.get_text() for t in found if t.get_text())


def test_the_registry_holds_each_picture_with_its_sentence():
    held = comparison_plots()
    assert set(held) == NAMES
    assert all(plot.about.endswith(".") and plot.title for plot in held.values())


def test_the_seed_case_shows_its_figures():
    case = made.seed_case()
    matched = texts(comparison_plots()["matched-steps"].draw(case))
    assert "+22.6" in matched
    assert "+27 %" in matched
    scatter = texts(comparison_plots()["variance-comparison"].draw(case))
    assert "std 19.6 and 22.4, variance ratio 1.3, p 0.57" in scatter
    difference = texts(comparison_plots()["comparison-difference"].draw(case))
    assert "+3.49 (−6.11 to +13.1): indistinguishable" in difference
    assert "above 0: worse" in difference
    gap = comparison_plots()["gap-comparison"].draw(case)
    assert [list(line.get_ydata())[:2] for line in gap.lines[:2]] == [[48.1, 27.9], [57.5, 33.3]]


def test_dots_of_the_difference_are_the_differences():
    case = made.seed_case()
    ax = comparison_plots()["comparison-difference"].draw(case)
    first, second = (arm.runs[0]["mpjpe", "val"].value for arm in case.arms)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), second - first)
    mean = ax.lines[1]
    window = 5
    expected = np.convolve(second - first, np.ones(window) / window, "valid")
    np.testing.assert_allclose(mean.get_ydata(), expected)


def test_what_applies_is_what_there_is_data_for():
    names = [p.name for p in panels_of(made.groups(), ("accuracy", "val"))]
    assert names == ["seed-bands", "run-scores", "comparison-difference"]
    names = [p.name for p in panels_of(made.seed_case(), ("total", "train"))]
    assert names == ["comparison-overlay", "comparison-difference"]
    with pytest.raises(UsageError, match="seed-bands: these runs have nothing"):
        plots.comparison_figure(made.seed_case(), "seed-bands")
    with pytest.raises(UsageError, match="did you mean 'seed-bands'"):
        plots.comparison_figure(made.seed_case(), "seed-band")


def test_of_many_candidates_those_that_differ_are_drawn():
    many = made.many(100, 1)
    shown = shown_arms(many, ("loss", "val"))
    assert shown[0] == (0, many.arms[0])
    assert len(shown) == MOST + 1
    verdicts = {row.candidate: row.verdict for row in many.rows}
    assert {verdicts[arm.name] for _, arm in shown[1:]} == {"better"}


def test_no_such_metric_is_an_error():
    with pytest.raises(ValueError, match="no metric"):
        chosen(made.seed_case(), ("nothing", "val"))


def test_pictures_have_names_without_the_names_of_runs():
    names = [p.name for p in plots.comparison_pictures(made.many(3, 9))]
    assert names == [f"comparison-{n:02d}.png" for n in range(1, 7)]


def test_the_outline_keeps_level_and_noise():
    rng = np.random.default_rng(0)
    held = pair(run_of("a", 3 + rng.normal(0, 0.5, 20_000)), noisy("b"))
    one = outline(points_of(held, held.arms[0], ("loss", "val"))[0])
    assert len(one.at) == 800
    assert np.median(one.main) == pytest.approx(3, abs=0.02)
    assert np.median(one.noise) == pytest.approx(0.5, rel=0.05)


def test_running_means_cover_a_known_difference():
    rng = np.random.default_rng(1)
    misses = 0
    for n in (20, 400):
        for _ in range(30):
            at = np.arange(float(n))
            mean = running(Apart(at, at.astype(np.int64), 0.3 + rng.normal(0, 1, n)))
            misses += int(((mean.low > 0.3) | (mean.high < 0.3)).sum() / len(mean) > 0.3)
            assert (mean.low <= mean.mean).all()
    assert misses <= 6
    assert running(Apart(at[:9], at[:9].astype(np.int64), at[:9])) is None


def test_the_difference_of_arms_is_welch_at_each_place():
    from scipy.stats import ttest_ind

    groups = made.groups()
    found = between(groups, groups.rows[0])
    first, second = (
        np.array([r["accuracy", "val"].value for r in arm.runs]) for arm in groups.arms
    )
    told = ttest_ind(second, first, equal_var=False)
    ends = told.confidence_interval(0.95)
    np.testing.assert_allclose(found.mean, second.mean(0) - first.mean(0))
    np.testing.assert_allclose(found.low, ends.low)
    np.testing.assert_allclose(found.high, ends.high)
    assert apart(groups, groups.rows[0]) is None


def test_places_are_told_in_the_words_of_their_axis():
    assert told_place(12000, "step") == "12\u202f000"
    assert told_place(2.5, "epoch") == "2.5"
    assert told_place(4800, "time") == "1 h 20 min"
    by_epoch = replace(made.seed_case(), by="epoch")
    assert "no finite point" in texts(comparison_plots()["comparison-overlay"].draw(by_epoch))


def test_a_long_difference_is_averaged_before_its_running_mean():
    at = np.arange(100_003.0)
    value = np.sin(at / 9000) + np.random.default_rng(2).normal(0, 1, len(at))
    found = running(Apart(at, at.astype(np.int64), value))
    around = [value[int(a) - found.window // 2 :][: found.window].mean() for a in found.at]
    np.testing.assert_allclose(found.mean, around, atol=0.02)
    assert found.window == pytest.approx(len(at) / 8, rel=0.02)
