"""Brown and Forsythe's test against scipy, and its level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import levene

from trainlens.stats.spread import brown_forsythe


@given(st.integers(6, 40), st.integers(6, 40), st.floats(0.1, 10), st.integers(0, 99))
def test_it_is_the_square_root_of_levene_around_medians(n, m, times, seed):
    rng = np.random.default_rng(seed)
    n, m = n - n % 2, m - m % 2  # scipy keeps the deviation that is 0 in odd samples
    a, b = rng.standard_normal(n), times * rng.standard_normal(m)
    found = brown_forsythe(a, b)
    assert found.t**2 == pytest.approx(levene(a, b, center="median").statistic, rel=1e-9)
    assert found.dof == n + m - 2


def test_its_level_is_five_percent_for_heavy_tails():
    rng = np.random.default_rng(0)
    beyond = 0
    for _ in range(2000):
        found = brown_forsythe(rng.standard_t(4, 40), rng.standard_t(4, 40))
        beyond += abs(found.t) > 1.99
    assert 0.03 < beyond / 2000 < 0.07


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_ratio_and_scale(scale):
    base = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    assert brown_forsythe(scale * base, 3 * scale * base).ratio == pytest.approx(3)


def test_few_and_constant_values():
    assert brown_forsythe(np.ones(4), np.ones(9)) is None
    same = brown_forsythe(np.ones(6), np.ones(6))
    assert (same.ratio, same.t) == (1.0, 0.0)
    assert brown_forsythe(np.ones(6), np.arange(6.0)).ratio == np.inf
