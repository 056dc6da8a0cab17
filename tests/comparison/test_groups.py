"""Several runs against several: the score of a run, who counts, what the scores say; bands."""

import math

import numpy as np
import pytest
from scipy.stats import levene, mannwhitneyu, t, trim_mean, ttest_ind, ttest_rel

from trainlens.chunk import Chunk, Column, unknown
from trainlens.comparison.arms import arm
from trainlens.comparison.bands import band
from trainlens.comparison.groups import SCORES, against
from trainlens.run import Run

KEY = ("loss", "val")


def run(name, value, step=None, metric="loss", **config):
    step = np.arange(1, len(value) + 1) if step is None else np.asarray(step)
    wall = 1e9 + step * 2.0
    column = Column(metric, step.astype(np.int64), np.asarray(value, float), wall,
                    unknown(len(value)), "val")  # fmt: skip
    return Run(name, name, "synthetic", config=config).extend(Chunk((column,)))


def flat(name, levels, n=20, seeds=False, **more):
    """Runs that stay where they are, so that every score of a run is its level."""
    return arm(
        name,
        [
            run(f"{name}{i}", np.full(n, float(level)), **({"seed": i} if seeds else {}), **more)
            for i, level in enumerate(levels)
        ],
    )


def held(a, b, **asked):
    return against(a, b, asked.pop("key", KEY), rng=np.random.default_rng(0), **asked)


X, Y = [1.0, 1.2, 0.9, 1.3, 1.1], [0.8, 0.9, 0.7, 0.85, 1.15, 0.6]


def test_independent_arms_are_welchs_test():
    found = held(flat("a", X), flat("b", Y))
    theirs = ttest_ind(Y, X, equal_var=False)
    ends = theirs.confidence_interval(0.95)
    assert found.why == ""
    assert found.left_out == ()
    difference = found.difference
    assert difference.mean == pytest.approx(np.mean(Y) - np.mean(X))
    assert difference.p == pytest.approx(theirs.pvalue)
    assert (difference.interval.low, difference.interval.high) == pytest.approx(tuple(ends))
    assert (difference.n, difference.needed) == (5, None)
    assert "Welch" in difference.method


def test_equal_seeds_are_paired():
    found = held(flat("a", X, seeds=True), flat("b", Y[:5], seeds=True))
    theirs = ttest_rel(Y[:5], X)
    assert found.difference.p == pytest.approx(theirs.pvalue)
    assert found.replicates.paired == 5
    assert "paired" in found.difference.method


def test_replicates_by_other_libraries():
    found = held(flat("a", X), flat("b", Y)).replicates
    assert found.scores == (tuple(X), tuple(Y))
    assert found.iqm == pytest.approx((trim_mean(X, 0.25), trim_mean(Y, 0.25)))
    # Lower is better: a run of b beats one of a where it is lower.
    assert found.improvement == pytest.approx(mannwhitneyu(X, Y).statistic / 30)
    assert found.improvement in found.improvement_interval
    for middle, interval in zip(found.iqm, found.iqm_intervals, strict=True):
        assert middle in interval


def test_where_higher_is_better_higher_runs_win():
    a, b = flat("a", X, metric="accuracy"), flat("b", Y, metric="accuracy")
    found = held(a, b, key=("accuracy", "val")).replicates
    assert found.improvement == pytest.approx(mannwhitneyu(Y, X).statistic / 30)


def test_scatter_of_seeds_is_brown_and_forsythes():
    x, y = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0], [2.0, 1.0, 3.0, 0.5, 1.4, 2.6]
    found = held(flat("a", x), flat("b", y)).variance
    assert found.std == pytest.approx((np.std(x, ddof=1), np.std(y, ddof=1)))
    assert found.ratio == pytest.approx(np.var(y, ddof=1) / np.var(x, ddof=1))
    assert found.p == pytest.approx(levene(x, y, center="median").pvalue)
    few = held(flat("a", x[:4]), flat("b", y[:4])).variance
    assert math.isnan(few.p)


def test_summaries_are_of_the_scores():
    found = held(flat("a", X), flat("b", Y)).summaries
    assert [s.n for s in found] == [5, 6]
    assert [s.mean for s in found] == pytest.approx([np.mean(X), np.mean(Y)])
    assert [s.std for s in found] == pytest.approx([np.std(X, ddof=1), np.std(Y, ddof=1)])
    assert [s.best for s in found] == [min(X), min(Y)]
    assert {s.last_step for s in found} == {20}


@pytest.mark.parametrize(
    ("score", "value"), [("late", 2.5), ("last", 2.0), ("mean", 11.5), ("best", 2.0)]
)
def test_scores(score, value):
    falling = np.arange(21.0, 1.0, -1)  # 21 ... 2; the last tenth is 3, 2
    arms = [arm(name, [run(f"{name}{i}", falling + 0.1 * i) for i in range(3)]) for name in "ab"]
    found = held(*arms, score=score)
    assert found.replicates.scores[0] == pytest.approx((value, value + 0.1, value + 0.2))
    assert set(SCORES) == {"late", "last", "mean", "best"}


def test_a_short_run_has_one_late_point():
    arms = [arm(n, [run(f"{n}{i}", [5.0, 4.0, 3.0 + i]) for i in range(3)]) for n in "ab"]
    assert held(*arms).replicates.scores[0] == (3, 4, 5)


def test_only_what_all_runs_reach_counts():
    """The candidate trains twice as long and gets better only then."""
    falling = np.linspace(2, 1, 100)
    a = arm("a", [run(f"a{i}", falling[:50] + 0.01 * i) for i in range(3)])
    b = arm("b", [run(f"b{i}", falling + 0.01 * i) for i in range(3)])
    found = held(a, b)
    assert found.until == 50
    assert found.difference.mean == pytest.approx(0, abs=1e-12)
    assert "up to step 50" in found.difference.method


def test_runs_that_log_at_other_steps_end_at_the_same_place():
    a = arm("a", [run(f"a{i}", [4, 3, 2.0 + i], [1000, 2000, 3000]) for i in range(3)])
    b = arm("b", [run(f"b{i}", [4, 3, 2.0 + i], [1001, 2001, 3001]) for i in range(3)])
    assert held(a, b).replicates.scores == ((2, 3, 4), (2, 3, 4))


def test_runs_that_cannot_count_are_named():
    a = flat("a", X)
    b = arm(
        "b",
        [
            *(run(f"b{i}", np.full(20, y)) for i, y in enumerate(Y)),
            run("crashed", np.full(3, 0.1)),
            run("other", np.full(20, 0.1), metric="accuracy"),
        ],
    )
    found = held(a, b)
    assert found.replicates.scores[1] == tuple(Y)
    assert found.left_out == (
        "crashed of b is left out: its values end at step 3, where most go on",
        "other of b is left out: it has no finite point of this metric",
    )


def test_a_copy_is_no_second_seed():
    rng = np.random.default_rng(0)
    curves = rng.random((3, 20))
    a = arm("a", [run(f"a{i}", c) for i, c in enumerate(curves)])
    b = arm("b", [run(f"b{i}", c) for i, c in enumerate([*curves[:2], curves[0]])])
    found = held(a, b)
    assert found.left_out == ("b2 of b is left out: it holds the very same values as b0",)
    assert found.difference is None
    assert found.why == (
        "b has 2 runs; at least 3 an arm are needed to see how seeds scatter "
        "(b2 of b is left out: it holds the very same values as b0)"
    )


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 2), (2, 2), (1, 1)])
def test_too_few_runs_are_refused_with_the_reason(n, m):
    found = held(flat("a", X[:n]), flat("b", Y[:m]))
    assert found.difference is None
    assert found.replicates is None
    assert "at least 3 an arm are needed" in found.why
    assert ("a has" in found.why, "b has" in found.why) == (n < 3, m < 3)
    assert [s.n for s in found.summaries] == [n, m]


def test_nothing_finite_at_all():
    empty = arm("a", [run(f"a{i}", [math.nan], metric="accuracy") for i in range(3)])
    found = held(empty, flat("b", Y, metric="accuracy"), key=("accuracy", "val"))
    assert "a has 0 runs" in found.why
    assert math.isnan(found.summaries[0].mean)


def test_equal_scores_give_nothing_to_judge_by():
    found = held(flat("a", [1, 1, 1]), flat("b", [2, 2, 2]))
    assert found.difference is None
    assert "without any scatter" in found.why
    assert found.variance is None
    same = held(flat("a", [1, 1, 1]), flat("b", [1, 1, 1]))
    assert (same.difference.mean, same.difference.p, same.why) == (0, 1, "")


def test_no_best_without_a_direction():
    a, b = flat("a", X, metric="thing"), flat("b", Y, metric="thing")
    assert "not known whether" in held(a, b, key=("thing", "val"), score="best").why
    assert held(a, b, key=("thing", "val")).why == ""


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_huge_and_tiny_scores(scale):
    one = held(flat("a", X), flat("b", Y))
    other = held(flat("a", scale * np.array(X)), flat("b", scale * np.array(Y)))
    assert other.difference.p == pytest.approx(one.difference.p)
    assert other.difference.interval.low == pytest.approx(scale * one.difference.interval.low)
    assert other.variance.p == pytest.approx(one.variance.p)
    assert other.variance.ratio == pytest.approx(one.variance.ratio)


def test_by_time():
    found = held(flat("a", X), flat("b", Y), by="time")
    assert found.until == 38
    assert "up to 38 s" in found.difference.method


def test_seeds_alone_are_called_different_in_one_of_twenty_cases():
    rng = np.random.default_rng(0)
    counted = 0
    for _ in range(400):
        a, b = (flat(n, rng.normal(1, 0.1, 4), n=2) for n in "ab")
        counted += held(a, b, score="last").difference.p <= 0.05
    assert counted / 400 <= 0.05 + 3 * 0.011


def test_band():
    value = np.random.default_rng(0).random((4, 6))
    found = band(arm("a", [run(f"a{i}", v) for i, v in enumerate(value)]), KEY)
    assert found.at.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.n.tolist() == [4] * 6
    np.testing.assert_allclose(found.mean, value.mean(0))
    np.testing.assert_allclose(found.std, value.std(0, ddof=1))
    np.testing.assert_allclose(found.iqm, trim_mean(value, 0.25, axis=0))
    error = value.std(0, ddof=1) / 2
    np.testing.assert_allclose(found.low, value.mean(0) + t.ppf(0.025, 3) * error)
    np.testing.assert_allclose(found.high, value.mean(0) + t.ppf(0.975, 3) * error)
    np.testing.assert_array_equal(found.value, value)


def test_band_of_runs_of_unequal_length():
    lengths = (6, 4, 2, 2)
    found = band(arm("a", [run(f"a{i}", np.full(n, float(i))) for i, n in enumerate(lengths)]), KEY)
    # Places that less than half of the runs reach are left out.
    assert found.at.tolist() == [1, 2, 3, 4]
    assert found.n.tolist() == [4, 4, 2, 2]
    assert found.mean.tolist() == [1.5, 1.5, 0.5, 0.5]
    assert np.isnan(found.value[2:, 2:]).all()


def test_band_of_runs_at_neighbouring_steps():
    runs = [run(f"a{i}", [1.0, 2.0, 3.0], [100 + i, 200 + i, 300 + i]) for i in range(3)]
    found = band(arm("a", runs), KEY)
    assert found.n.tolist() == [3, 3, 3]
    assert found.mean.tolist() == [1, 2, 3]


def test_band_of_one_run_and_of_none():
    one = band(flat("a", [2.0]), KEY)
    assert one.mean.tolist() == [2.0] * 20
    assert np.isnan(one.std).all()
    assert np.isnan(one.low).all()
    assert len(band(flat("a", [2.0]), ("nothing", "val"))) == 0
