"""The test by ranks against scipy's, with ties and infinite scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from trainlens.comparison.ranks import rank_test, smallest_p

SCORES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.5, np.inf]), min_size=1, max_size=6)


def dealt(x, y):
    """Rank sums of all ways to deal the scores, by permutations of labels."""
    from itertools import permutations

    rank = rankdata(np.concatenate([x, y]))
    middle = len(x) * (len(rank) + 1) / 2
    away = abs(rank[: len(x)].sum() - middle)
    labels = np.array(sorted(set(permutations([True] * len(x) + [False] * len(y)))))
    sums = (labels * rank).sum(1)
    return float(np.mean(np.abs(sums - middle) >= away - 1e-9))


@given(x=SCORES.filter(lambda v: len(v) <= 4), y=SCORES.filter(lambda v: len(v) <= 3))
@settings(max_examples=40, deadline=None)
def test_few_scores_are_exact_with_ties_and_infinities(x, y):
    assert rank_test(np.array(x), np.array(y)) == pytest.approx(dealt(x, y))


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 6), (7, 7)])
def test_without_ties_it_is_scipys_exact_test(n, m):
    rng = np.random.default_rng(n)
    for shift in (0.0, 1.0, 5.0):
        x, y = rng.normal(0, 1, n), rng.normal(shift, 1, m)
        theirs = mannwhitneyu(x, y, method="exact").pvalue
        assert rank_test(x, y) == pytest.approx(min(1.0, theirs))


def test_many_scores_are_scipys_normal_approximation():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 20).astype(float), rng.integers(2, 11, 30).astype(float)
    x[:4] = 99.0  # for scipy, which takes infinities as well, but not all alike
    theirs = mannwhitneyu(x, y, method="asymptotic").pvalue
    assert rank_test(x, y) == pytest.approx(theirs)
    x[:4] = np.inf
    assert rank_test(x, y) == pytest.approx(theirs)


def test_scores_that_are_all_equal_say_nothing():
    assert rank_test(np.full(3, np.inf), np.full(4, np.inf)) == 1.0
    assert rank_test(np.zeros(30), np.zeros(30)) == 1.0


@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 4), (4, 4), (1, 5)])
def test_the_least_p_is_that_of_sides_that_are_wholly_apart(n, m):
    assert smallest_p(n, m) == rank_test(np.arange(n) + 0.0, 10.0 + np.arange(m))
