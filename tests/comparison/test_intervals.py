"""Intervals for few runs: against scipy, by their coverage, and at the edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind, ttest_rel

from trainlens.comparison import intervals
from trainlens.comparison.model import Interval

VALUES = st.lists(st.floats(-100, 100).map(lambda v: round(v, 3)), min_size=3, max_size=12)
SIZES = st.sampled_from([1e-200, 1e-6, 1.0, 1e9, 1e200])


def draw(seed, n, m, apart=0.5, times=1.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), apart + times * rng.standard_normal(m)


@given(st.integers(0, 999), st.integers(3, 9), st.integers(3, 9))
def test_unequal_numbers_are_welchs_test(seed, n, m):
    x, y = draw(seed, n, m + 1 if n == m else m, times=3.0)
    found, theirs = intervals.independent(x, y), ttest_ind(y, x, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.dof == pytest.approx(theirs.df, rel=1e-9)
    ends = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_equal_numbers_have_welchs_own_degrees_of_freedom():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    a, b = 1 / 3, 4 / 3
    dof = (a + b) ** 2 / (a * a / 4 + b * b / 4) - 2
    assert intervals.independent(x, y).dof == pytest.approx(dof)
    # Two of one spread: never above those of Student's.
    assert intervals.independent(x, x + 1).dof == 4


@given(st.integers(0, 999), st.integers(3, 12))
def test_pairs_are_students_test(seed, n):
    x, y = draw(seed, n, n)
    found, theirs = intervals.paired(x, y), ttest_rel(y, x)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    ends = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-9)


@pytest.mark.parametrize("test", [intervals.independent, intervals.paired])
@given(VALUES, st.integers(0, 99), SIZES)
def test_unit_and_order_do_not_matter(test, x, seed, size):
    x = np.array(x)
    y = x[::-1] + np.round(np.random.default_rng(seed).normal(0, 10, len(x)), 3)
    found, scaled, back = test(x, y), test(size * x, size * y), test(y, x)
    if found is None:
        assert scaled is None
        return
    assert scaled.p == pytest.approx(found.p, rel=1e-6, abs=1e-9)
    assert scaled.low == pytest.approx(size * found.low, rel=1e-6, abs=1e-9 * size)
    assert (back.mean, back.low, back.high) == pytest.approx((-found.mean, -found.high, -found.low))


@pytest.mark.parametrize("test", [intervals.independent, intervals.paired])
def test_needed_is_where_five_percent_is_reached(test):
    x, y = draw(4, 5, 5, 0.3)
    needed = test(x, y).needed
    assert needed > 5

    def copies(value, n):
        """As many values of the same mean and the same variance (n - 1)."""
        wave = np.where(np.arange(n) % 2, 1.0, -1.0)
        wave -= wave.mean()
        return value.mean() + wave * (value.std(ddof=1) / wave.std(ddof=1))

    def p(n):
        if test is intervals.paired:
            return test(np.zeros(n), copies(y - x, n)).p
        return test(copies(x, n), copies(y, n)).p

    assert p(needed) <= 0.05 < p(needed - 1)
    assert test(x, x + 5 + 0.1 * y).needed is None


def test_without_scatter_there_is_nothing_to_judge_by():
    flat = np.full(3, 0.7)
    for test in (intervals.independent, intervals.paired):
        assert test(flat, flat + 0.1) is None
        same = test(flat, flat)
        assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    # One arm of equal scores borrows the scatter of both.
    one = intervals.independent(flat, np.array([0.6, 0.8, 0.9]))
    assert one.dof == 4
    assert one.low < 0 < one.high


SOURCES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "t5": lambda rng, n: rng.standard_t(5, n),
    "skewed": lambda rng, n: np.exp(0.5 * rng.standard_normal(n)),
    "ties": lambda rng, n: np.round(rng.standard_normal(n)),
    "twice": None,
}


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("source", SOURCES)
def test_nineteen_of_twenty_intervals_hold_the_truth(source, n):
    rng = np.random.default_rng(n)
    held, reps = 0, 1200
    for _ in range(reps):
        if source == "twice":
            x, y = rng.standard_normal(n), 2 * rng.standard_normal(n)
        else:
            x, y = SOURCES[source](rng, n), SOURCES[source](rng, n)
        found = intervals.independent(x, y)
        held += found is not None and found.low <= 0 <= found.high
    assert 0.93 - 0.019 <= held / reps <= 0.97 + 0.015  # three standard errors of the simulation


@pytest.mark.parametrize(("n", "least"), [(3, 0.93), (4, 0.93), (5, 0.92), (10, 0.93)])
def test_intervals_of_the_iqm_hold_the_truth(n, least):
    rng = np.random.default_rng(n)
    reps = 400
    held = sum(0 in intervals.of_iqm(rng.standard_normal(n), rng=rng) for _ in range(reps))
    assert least - 0.02 <= held / reps


def test_iqm_of_one_and_of_equal_scores():
    rng = np.random.default_rng(0)
    assert intervals.of_iqm(np.array([1.0]), rng=rng) == Interval(-math.inf, math.inf)
    assert intervals.of_iqm(np.full(6, 2.0), rng=rng) == Interval(2.0, 2.0)
    assert intervals.of_iqm(np.full(3, 2.0), rng=rng) == Interval(2.0, 2.0)


def newcombe(estimate, n, m):
    """Method 5 of Newcombe 2006 by brute force: all probabilities that are not rejected."""
    true = np.linspace(0, 1, 200_001)
    spread = true * (1 - true) / (n * m)
    spread *= 1 + ((n + m) / 2 - 1) * ((1 - true) / (2 - true) + true / (1 + true))
    kept = true[np.abs(estimate - true) <= 1.959963984540054 * np.sqrt(spread)]
    return kept.min(), kept.max()


@pytest.mark.parametrize(
    ("estimate", "n", "m"), [(0.5, 3, 3), (1.0, 5, 5), (0.0, 3, 9), (0.8, 10, 4)]
)
def test_probability_against_brute_force(estimate, n, m):
    found = intervals.of_improvement(estimate, n, m)
    assert (found.low, found.high) == pytest.approx(newcombe(estimate, n, m), abs=1e-5)


@given(st.integers(2, 30), st.integers(2, 30), st.floats(0, 1))
def test_probability_and_its_mirror(n, m, estimate):
    one, other = (intervals.of_improvement(e, n, m) for e in (estimate, 1 - estimate))
    assert 0 <= one.low <= estimate <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


def test_iqm_of_few_by_all_resamples_is_that_of_many_drawn_ones(monkeypatch):
    value = np.array([0.1, 0.9, 0.4, 0.3, 0.65, 0.2])
    exact = intervals.of_iqm(value, rng=np.random.default_rng(0))
    monkeypatch.setattr(intervals, "_EXACT", 0)
    monkeypatch.setattr(intervals, "_REPS", 400_000)
    drawn = intervals.of_iqm(value, rng=np.random.default_rng(0))
    assert (exact.low, exact.high) == pytest.approx((drawn.low, drawn.high), abs=0.01)
