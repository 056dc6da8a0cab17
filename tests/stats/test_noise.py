"""Noise estimates: known answers, and what must not disturb them."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import stdtrit

from trainlens.stats.noise import (
    lag1_autocorrelation,
    mean_error,
    memory,
    robust_scale,
    second_difference_noise,
)


def ar1(n, rho, seed):
    raw = np.random.default_rng(seed).standard_normal(n + 500) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], raw)[500:]


def test_scale_of_normal_noise_with_outliers():
    x = np.random.default_rng(0).normal(3, 2, 20000)
    x[:1000] = 1e6
    assert robust_scale(x) == pytest.approx(2.15, abs=0.1)
    assert robust_scale(np.append(x, [np.nan, np.inf])) == robust_scale(x)
    assert np.isnan(robust_scale(np.array([np.nan])))


def test_noise_on_a_steep_trend():
    n = 20000
    noise = np.random.default_rng(0).normal(0, 0.1, n)
    trend = 50 * np.exp(-np.arange(n) / 3000)
    assert second_difference_noise(trend + noise) == pytest.approx(0.1, rel=0.03)
    assert second_difference_noise(np.arange(50.0)) == pytest.approx(0, abs=1e-12)
    assert np.isnan(second_difference_noise(np.arange(3.0)))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autocorrelation_is_nearly_unbiased_in_short_series(rho):
    # Without the correction the mean is 0.82 at rho 0.9.
    found = [lag1_autocorrelation(ar1(60, rho, seed)) for seed in range(300)]
    assert np.mean(found) == pytest.approx(rho, abs=0.06)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_autocorrelation_knows_no_unit(scale):
    x = ar1(200, 0.6, 1)
    assert lag1_autocorrelation(x * scale) == pytest.approx(lag1_autocorrelation(x), rel=1e-6)


def test_degenerate_series():
    assert lag1_autocorrelation(np.zeros(10)) == 0
    assert lag1_autocorrelation(np.full(10, 3.7)) == 0
    assert lag1_autocorrelation(np.array([1.0, 2.0])) == 0


def test_memory_of_a_mean():
    assert memory(10**9, 0.9) == pytest.approx(19)
    assert memory(10**9, -0.5) == memory(1, 0.0) == 1
    assert memory(10**9, 0.99) == pytest.approx(39)
    assert memory(10, 0.99) == 5
    assert memory(100, 0.5) > memory(10**6, 0.5) == pytest.approx(3, rel=1e-4)


def test_the_error_of_a_mean_of_independent_points():
    value = np.random.default_rng(3).standard_normal(10**5)
    error, dof = mean_error(value)
    assert error == pytest.approx(value.std() / np.sqrt(len(value)), rel=0.02)
    assert dof == pytest.approx(len(value), rel=0.03)
    assert mean_error(np.full(5, 2.0))[0] == 0.0


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("n", [40, 300])
def test_means_of_autocorrelated_points_miss_zero_as_often_as_said(rho, n):
    missed = 0
    for seed in range(1000):
        y = ar1(n, rho, seed) if rho else np.random.default_rng(seed).standard_normal(n)
        error, dof = mean_error(y)
        missed += abs(y.mean()) > stdtrit(dof, 0.975) * error
    assert 0.025 < missed / 1000 < 0.075
