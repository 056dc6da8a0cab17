"""The mean of an autocorrelated series: known answers, level, invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal, stats

from trainlens.stats.contrast import FEWEST, mean_contrast


def noise(rho, n, count, seed=0):
    rng = np.random.default_rng(seed)
    new = rng.standard_normal((count, n + 200))
    return signal.lfilter([1.0], [1.0, -rho], new, axis=1)[:, 200:]


def test_too_few_points_give_nothing():
    assert mean_contrast(np.ones(FEWEST - 1)) is None
    assert mean_contrast(np.arange(float(FEWEST))) is not None


def test_without_memory_it_is_close_to_the_t_test():
    value = np.random.default_rng(3).normal(0.4, 1.0, 400)
    found, oracle = mean_contrast(value), stats.ttest_1samp(value, 0.0)
    low, high = oracle.confidence_interval(0.95)
    assert found.mean == pytest.approx(value.mean())
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)
    assert found.low <= low + 1e-9
    assert found.high >= high - 1e-9


@pytest.mark.parametrize("n", [5, 8, 12, 20, 60, 300])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_level(rho, n):
    values = noise(rho, n, 1500, seed=n)
    share = np.mean([mean_contrast(value).p < 0.05 for value in values])
    # At most 7 % are expected; three standard errors of 1,500 draws more.
    assert share <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 1500)
    if rho == 0.9 and n == 60:
        plain = stats.ttest_1samp(values, 0.0, axis=1).pvalue
        assert np.mean(plain < 0.05) > 0.4


def test_interval_and_p_agree():
    for value in noise(0.6, 40, 200) + 0.5:
        found = mean_contrast(value)
        assert (found.p < 0.05) == (not found.low <= 0.0 <= found.high)
        assert (found.needed is None) == (found.p <= 0.05)


def test_needed_points_settle_it():
    value = np.random.default_rng(1).normal(0.1, 1.0, 50)
    found = mean_contrast(value)
    # Repeating the very points keeps their mean and scatter; the memory is theirs, nearly.
    longer = np.tile(value, 1 + found.needed // 50)
    assert mean_contrast(longer).p == pytest.approx(0.05, abs=0.04)
    assert found.needed > 50


def test_known_answers():
    same = mean_contrast(np.full(9, 2.5))
    assert (same.mean, same.low, same.high, same.p) == (2.5, 2.5, 2.5, 0.0)
    none = mean_contrast(np.zeros(9))
    assert (none.mean, none.p, none.needed) == (0.0, 1.0, None)
    huge = mean_contrast(np.array([1e308, -1e308, 1e308, 1e307, -1e308, 1e308]))
    assert np.isfinite(huge.mean)
    assert 0 < huge.p <= 1


@given(
    arrays(np.float64, st.integers(5, 40), elements=st.floats(-1e6, 1e6)),
    st.floats(1e-6, 1e6),
)
def test_scale_and_sign(value, scale):
    one, other, turned = mean_contrast(value), mean_contrast(value * scale), mean_contrast(-value)
    assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-9)
    assert other.rho == pytest.approx(one.rho, abs=1e-6)
    assert turned.p == pytest.approx(one.p, rel=1e-9)
    assert turned.low == pytest.approx(-one.high, rel=1e-9)
    assert 1 <= one.n_effective <= one.n
