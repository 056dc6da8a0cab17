"""Definitions of aggregate scores against scipy and plain loops; intervals by resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, trim_mean

from trainlens.comparison import aggregate

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 6))


def scores(seed, shape, ties=False):
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0.5, 0.4, shape)
    return np.round(drawn, 1) if ties else drawn


@given(SHAPES, st.integers(0, 99), st.booleans())
def test_iqm_is_the_trimmed_mean_over_all_runs_and_tasks(shape, seed, ties):
    held = scores(seed, shape, ties)
    assert aggregate.iqm(held) == pytest.approx(trim_mean(held, 0.25, axis=None), rel=1e-12)


@given(SHAPES, st.integers(0, 99))
def test_other_aggregates_by_plain_loops(shape, seed):
    held = scores(seed, shape)
    of_tasks = [sum(column) / len(column) for column in held.T.tolist()]
    assert aggregate.mean(held) == pytest.approx(sum(of_tasks) / len(of_tasks))
    assert aggregate.median(held) == pytest.approx(float(np.median(of_tasks)))
    short = [max(0.0, 0.8 - s) for s in held.ravel().tolist()]
    assert aggregate.optimality_gap(held, 0.8) == pytest.approx(sum(short) / len(short))


@given(SHAPES, st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_probability_of_improvement_is_mann_and_whitneys(shape, others, seed, ties):
    x, y = scores(seed, shape, ties), scores(seed + 1, (others, shape[1]), ties)
    each = [
        mannwhitneyu(a, b, alternative="greater", method="asymptotic").statistic / (len(a) * len(b))
        for a, b in zip(x.T, y.T, strict=True)
    ]
    found = aggregate.probability_of_improvement(x, y)
    assert found == pytest.approx(np.mean(each))
    assert found + aggregate.probability_of_improvement(y, x) == pytest.approx(1)


def test_tasks_must_be_the_same():
    with pytest.raises(ValueError, match="3 tasks cannot be compared with 2"):
        aggregate.probability_of_improvement(np.ones((4, 3)), np.ones((4, 2)))


@given(SHAPES, st.integers(0, 99), st.booleans(), st.booleans())
def test_profile_is_the_share_above(shape, seed, ties, of_means):
    held, limits = scores(seed, shape, ties), np.round(np.linspace(-1, 2, 31), 1)
    of = held.mean(0) if of_means else held.ravel()
    found = aggregate.performance_profile(held, limits, of_means=of_means)
    np.testing.assert_allclose(found, [(of > limit).mean() for limit in limits], atol=1e-12)


@pytest.mark.parametrize(
    "statistic", [aggregate.iqm, aggregate.mean, aggregate.median, aggregate.optimality_gap]
)
def test_many_sets_of_scores_at_once(statistic):
    held = scores(0, (5, 7, 3))
    np.testing.assert_array_equal(statistic(held), [statistic(one) for one in held])


def test_bootstrap_resamples_runs_within_tasks():
    # Task 1 lies a thousand above task 0: any mixing of tasks would move the mean by hundreds.
    held = np.array([[0.0, 1000.0], [1.0, 1001.0], [2.0, 1002.0]])
    seen = []

    def kept(drawn):
        seen.append(drawn)
        return aggregate.mean(drawn)

    low, high = aggregate.stratified_bootstrap(
        held, kept, rng=np.random.default_rng(0), reps=500, level=0.9
    )
    drawn = np.concatenate(seen)
    assert drawn.shape == (500, 3, 2)
    assert set(drawn[:, :, 0].ravel()) == {0.0, 1.0, 2.0}
    assert set(drawn[:, :, 1].ravel()) == {1000.0, 1001.0, 1002.0}
    # Each task is drawn by itself, not whole runs.
    assert (drawn[:, :, 1] - drawn[:, :, 0] != 1000).any()
    assert (low, high) == tuple(np.quantile(aggregate.mean(drawn), [0.05, 0.95]))


def test_bootstrap_has_the_standard_error_of_the_mean():
    held = scores(3, (30, 4))
    low, high = aggregate.stratified_bootstrap(
        held, aggregate.mean, rng=np.random.default_rng(1), reps=20_000
    )
    error = np.sqrt(held.var(0).sum() / 30) / 4
    assert low == pytest.approx(held.mean() - 1.96 * error, abs=0.05 * error)
    assert high == pytest.approx(held.mean() + 1.96 * error, abs=0.05 * error)


def test_bootstrap_of_a_profile_and_in_blocks(monkeypatch):
    held, limits = scores(5, (6, 3)), np.array([0.0, 0.5, 1.0])

    def profile(drawn):
        return aggregate.performance_profile(drawn, limits)

    def found():
        return aggregate.stratified_bootstrap(held, profile, rng=np.random.default_rng(2), reps=300)

    whole = found()
    assert whole.shape == (2, 3)
    assert (whole[0] <= profile(held)).all()
    assert (whole[1] >= profile(held)).all()
    monkeypatch.setattr(aggregate, "_BLOCK", 18 * 7)
    np.testing.assert_array_equal(found(), whole)


def test_bootstrap_of_the_probability_is_that_of_drawn_pairs():
    x, y = scores(7, (5, 3), ties=True), scores(8, (4, 3), ties=True)
    found = aggregate.improvement_bootstrap(x, y, rng=np.random.default_rng(3), reps=20_000)
    rng, chances = np.random.default_rng(4), []
    for _ in range(4000):
        a = x[rng.integers(5, size=(5, 3)), np.arange(3)]
        b = y[rng.integers(4, size=(4, 3)), np.arange(3)]
        chances.append(aggregate.probability_of_improvement(a, b))
    np.testing.assert_allclose(found, np.quantile(chances, [0.025, 0.975]), atol=0.02)
