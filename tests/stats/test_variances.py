"""Whether curves scatter alike, and how many points it takes: figures and level."""

import numpy as np
import pytest
from scipy import signal, stats

from trainlens.stats.variances import innovations, needed_for, same_variance, variance_p


def test_the_figures_of_the_hand_pose_system():
    ratio = (22.41 / 19.62) ** 2
    assert round(ratio, 2) == 1.30
    assert round(variance_p(ratio, 20), 2) == 0.57
    assert round(variance_p(ratio, 100), 2) == 0.19
    assert needed_for(ratio) == 220


@pytest.mark.parametrize("ratio", [1.1, 1.5, 4.0, 0.25])
def test_needed_is_the_first_number_that_is_enough(ratio):
    n = needed_for(ratio)
    assert variance_p(ratio, n) <= 0.05 < variance_p(ratio, n - 1)
    larger = max(ratio, 1 / ratio)
    assert variance_p(ratio, n) == pytest.approx(2 * stats.f(n - 1, n - 1).sf(larger))
    assert needed_for(1 / ratio) == n


def test_no_number_is_enough_for_equal_variances():
    assert needed_for(1.0) is None
    assert np.isnan(variance_p(0.0, 20))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [20, 100])
def test_level(rho, n):
    rng = np.random.default_rng(n)
    new = rng.standard_normal((1200, 2, n + 100))
    value = signal.lfilter([1.0], [1.0, -rho], new)[..., 100:] + np.linspace(0, 3, n)
    share = np.mean([same_variance(a, b) < 0.05 for a, b in value])
    assert share <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 1200)


def test_twice_the_noise_is_found():
    rng = np.random.default_rng(2)
    assert same_variance(rng.normal(0, 1, 100), rng.normal(0, 2, 100)) < 1e-4


def test_innovations_of_a_line_are_nothing():
    assert np.abs(innovations(np.linspace(5.0, -3.0, 40))).max() < 1e-12
    assert len(innovations(np.zeros(2))) == 0
