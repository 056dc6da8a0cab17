"""Rolling statistics against pandas and their NaN policy."""

import numpy as np
import pandas as pd
import pytest

from trainlens.stats.rolling import (
    rolling_mad,
    rolling_mean,
    rolling_median,
    rolling_quantile,
    rolling_std,
)


@pytest.mark.parametrize("n", [0, 1, 3, 12, 300])
@pytest.mark.parametrize("window", [1, 5, 21])
@pytest.mark.parametrize("lag", [0, 1, 7])
def test_equal_to_pandas_at_every_prefix(n, window, lag):
    x = np.random.default_rng(n).normal(size=n)
    shifted = pd.Series(x).shift(lag).rolling(window, min_periods=1)
    assert np.array_equal(
        rolling_median(x, window, lag=lag), shifted.median().to_numpy(), equal_nan=True
    )
    assert np.allclose(
        rolling_mean(x, window, lag=lag), shifted.mean().to_numpy(), equal_nan=True, atol=1e-12
    )
    std = shifted.std().to_numpy() if window > 1 else np.full(n, np.nan)
    assert np.allclose(rolling_std(x, window, lag=lag), std, equal_nan=True, atol=1e-12)


@pytest.mark.parametrize("window", [4, 5])
def test_mad_is_the_median_distance_from_the_window_median(window):
    x = np.random.default_rng(0).normal(size=60)
    out = rolling_mad(x, window)
    for i in range(60):
        part = x[max(0, i - window + 1) : i + 1]
        assert out[i] == pytest.approx(np.median(np.abs(part - np.median(part))), abs=1e-15)


def test_quantile_is_an_order_statistic():
    x = np.random.default_rng(0).normal(size=80)
    out = rolling_quantile(x, 20, 0.9)
    assert out[-1] == np.sort(x[-20:])[17]


@pytest.mark.parametrize("function", [rolling_median, rolling_mad, rolling_mean, rolling_std])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_window_with_a_bad_value_is_nan_and_no_other(function, bad):
    x = np.arange(40.0)
    clean = function(x, 5)
    x[20] = bad
    out = function(x, 5)
    assert np.isnan(out[20:25]).all()
    keep = np.r_[0:20, 25:40]
    assert np.array_equal(out[keep], clean[keep], equal_nan=True)


@pytest.mark.parametrize("function", [rolling_median, rolling_mad, rolling_mean, rolling_std])
def test_min_periods_and_start(function):
    x = np.random.default_rng(1).normal(size=50)
    out = function(x, 11, lag=2, min_periods=6)
    assert np.isnan(out[:7]).all()
    assert np.isfinite(out[7:]).all()
    later = function(x, 11, lag=2, min_periods=6, start=30)
    assert np.array_equal(out[30:], later)


def test_deviation_of_tiny_noise_on_a_large_mean():
    # E[x^2] - mean^2 gives 0 or a negative number here.
    x = 1e9 + np.random.default_rng(0).normal(size=500) * 1e-3
    assert rolling_std(x, 100)[-1] == pytest.approx(np.std(x[-100:], ddof=1), rel=1e-9)


def test_huge_values_do_not_overflow():
    x = np.array([1e300, -1e300, 1e300, 1e300])
    assert rolling_std(x, 4)[-1] == pytest.approx(1e300)
    assert rolling_mean(x, 4)[-1] == pytest.approx(0.5e300)


def test_odd_arguments_are_refused():
    x = np.arange(5.0)
    with pytest.raises(ValueError, match="odd"):
        rolling_median(x, 4)
    with pytest.raises(ValueError, match="lag"):
        rolling_mean(x, 3, lag=-1)
    with pytest.raises(ValueError, match="window"):
        rolling_std(x, 0)
