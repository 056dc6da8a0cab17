"""Trend statistics against known answers, scipy, and simulated curves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from synthetic_curves import noise, power_law

from trainlens.stats.blocks import block_levels, block_medians, condense
from trainlens.stats.gains import gain, t_quantile
from trainlens.stats.learned import learning
from trainlens.stats.plateau import onset_of, plateau
from trainlens.stats.rise import rise
from trainlens.stats.stretches import steady_levels, stretches
from trainlens.stats.trend import as_share, relative, scale_free, theil_sen

positive = arrays(np.float64, st.integers(1, 80), elements=st.floats(1e-3, 1e3))
signed = arrays(
    np.float64, st.integers(1, 80), elements=st.floats(-1e3, 1e3, allow_subnormal=False)
)


@given(positive, st.floats(1e-6, 1e6))
def test_positive_values_differ_by_their_ratio(value, factor):
    ours = scale_free(value * factor)
    np.testing.assert_allclose(ours - ours[0], np.log(value / value[0]), atol=1e-9)


@given(signed, st.sampled_from([2.0**-20, 2.0**20]))
def test_a_factor_changes_no_difference(value, factor):
    a, b = scale_free(value), scale_free(value * factor)
    np.testing.assert_allclose(b - b[0], a - a[0], atol=1e-9 * (1 + np.abs(a).max()))


def test_lower_is_better_whatever_the_direction_and_sign():
    assert np.all(np.diff(scale_free(np.array([3.0, 2.0, 1.0]))) < 0)
    assert np.all(np.diff(scale_free(np.array([-1.0, -2.0, -3.0]))) < 0)
    assert np.all(np.diff(scale_free(np.array([1.0, 0.0, -1.0]))) < 0)
    assert np.all(np.diff(scale_free(np.array([0.1, 0.5, 0.9]), "max")) < 0)


@pytest.mark.parametrize(
    "value", [[], [0.0] * 5, [1e308, -1e308] * 30, [5e-324, 1e308], [0.0, 1e-300]]
)
def test_extreme_values_stay_finite(value):
    assert np.isfinite(scale_free(np.array(value))).all()


@pytest.mark.parametrize(
    ("step", "first"), [([0, 50, 100], 0.0), ([10, 100], 0.1), ([900, 1000], 0.0), ([-5, 5], 0.0)]
)
def test_place_within_the_run(step, first):
    place = relative(np.array(step))
    assert place[0] == first
    assert place[-1] == 1.0


def test_steps_that_do_not_fit_a_difference():
    big = np.iinfo(np.int64).max
    place = relative(np.array([-big, 0, big]))
    np.testing.assert_allclose(place, [0.0, 0.5, 1.0])


@pytest.mark.parametrize("n", [1, 7, 20, 21, 40, 103])
def test_block_medians_are_medians_of_consecutive_points(n):
    rng = np.random.default_rng(n)
    x, y = np.arange(float(n)), rng.standard_normal(n)
    bx, by = block_medians(x, y, 20)
    edge = np.linspace(0, n, min(n, 20) + 1).astype(int)
    for i, (a, b) in enumerate(pairwise(edge)):
        assert by[i] == np.median(y[a:b])
        assert bx[i] == pytest.approx(np.mean(x[a:b]))


def test_block_levels_are_means_without_outliers():
    y = np.random.default_rng(0).standard_normal(4000)
    plain = y.reshape(20, 200).mean(axis=1)
    np.testing.assert_allclose(block_levels(np.arange(4000.0), y, 20)[1], plain, atol=0.02)
    y[::100] = 1e6
    assert np.abs(block_levels(np.arange(4000.0), y, 20)[1]).max() < 0.4


def test_condensing_keeps_short_series_and_level_of_long_ones():
    x, y = np.arange(100.0), np.arange(100.0)
    assert condense(x, y)[1] is y
    x = y = np.arange(10_007.0)
    cx, cy = condense(x, y, 100)
    assert len(cy) < 210
    np.testing.assert_allclose(cx, cy)


@pytest.mark.parametrize("dof", [4, 6, 10, 18, 100])
@pytest.mark.parametrize("z", [1.645, 2.33, 3.0])
def test_t_quantile_equals_scipy(z, dof):
    assert t_quantile(z, dof) == pytest.approx(stats.t.ppf(stats.norm.cdf(z), dof), rel=0.05)


def test_gain_of_a_line_is_exact():
    x = np.linspace(0, 1, 100)
    found = gain(x, 5 - 3 * x, 0.5, 1.0)
    assert found.value == pytest.approx(1.5)
    assert found.error == pytest.approx(0.0, abs=1e-9)


def test_gain_error_covers_the_truth_under_white_noise():
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, 200)
    found = [gain(x, rng.standard_normal(200), 0.0, 1.0) for _ in range(400)]
    missed = np.mean([g.lower() > 0 for g in found])
    assert 0.01 < missed < 0.08  # nominal 5 %
    spread = np.std([g.value for g in found])
    assert spread == pytest.approx(np.sqrt(12 / 200), rel=0.15)


def test_gain_without_enough_points():
    assert gain(np.arange(4.0), np.arange(4.0), 0, 3) is None
    assert gain(np.ones(10), np.arange(10.0), 0, 3) is None


@settings(deadline=None)
@given(arrays(np.float64, st.integers(2, 40), elements=st.floats(-100, 100)))
def test_theil_sen_equals_scipy(y):
    x = np.arange(float(len(y)))
    assert theil_sen(x, y) == pytest.approx(stats.theilslopes(y, x)[0], abs=1e-9)


def test_theil_sen_at_one_place():
    assert theil_sen(np.ones(5), np.arange(5.0)) == 0.0


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_a_noiseless_power_law_has_no_plateau(exponent, floor):
    rng = np.random.default_rng(0)
    y = np.log(power_law(5000, rng, floor=floor, exponent=exponent))
    assert plateau(relative(np.arange(5000)), y) is None


@pytest.mark.parametrize("stop", [0.1, 0.3, 0.4, 0.5, 0.6])
@pytest.mark.parametrize("kind", ["white", "ar5", "skew"])
def test_a_curve_that_stops_has_one_and_its_onset_is_found(stop, kind):
    rng = np.random.default_rng(4)
    twin = power_law(4000, rng, floor=0.2, exponent=0.5)
    at = int(stop * 4000)
    y = np.log(np.where(np.arange(4000) < at, twin, twin[at])) + noise(kind, 4000, 0.01, rng)
    x = relative(np.arange(4000))
    found = plateau(x, y)
    assert found is not None
    assert onset_of(x, y, found) == pytest.approx(stop, abs=0.08)


def test_a_late_fall_is_no_plateau():
    y = np.concatenate([np.linspace(1, 0, 400), np.zeros(450), np.linspace(0, -0.2, 150)])
    assert plateau(relative(np.arange(1000)), y) is None


def test_learning_is_a_drop_beyond_noise():
    x = np.linspace(0, 1, 60)
    rng = np.random.default_rng(5)
    wobble = rng.normal(0, 0.004, 60)
    assert not learning(x, wobble).learned
    assert learning(x, wobble + np.where(x < 0.05, 0.1, 0)).learned
    assert learning(x, wobble - 0.05 * x).learned
    assert not learning(x, wobble - 0.005 * x).learned, "below 2 %"
    assert learning(x[:7], wobble[:7]) is None


def test_a_rise_is_measured_from_the_best():
    y = np.log(np.concatenate([np.linspace(1, 0.5, 20), np.linspace(0.5, 0.6, 20)]))
    found = rise(y)
    assert found.significant
    assert 12 <= found.first <= 22
    assert found.value == pytest.approx(np.log(0.6 / 0.5), rel=0.25)


def test_no_rise_in_a_flat_or_falling_curve():
    rng = np.random.default_rng(6)
    for n in (4, 6, 12, 30, 200):
        found = [rise(rng.normal(0, 1, n)) for _ in range(200)]
        assert np.mean([r.significant for r in found]) < 0.03, n
    assert not rise(-np.arange(50.0)).significant
    assert rise(np.zeros(3)) is None


def test_one_bad_last_evaluation_is_no_rise():
    for n in (8, 25, 60):
        y = np.linspace(1, 0, n) * 0.3 + np.random.default_rng(n).normal(0, 0.002, n)
        y[-1] += 0.5
        assert not rise(y).significant


def test_stretches_and_levels():
    assert stretches(np.array([], bool)) == []
    assert stretches(np.array([True])) == [(0, 1)]
    level, edge = steady_levels(np.arange(500.0))
    assert len(level) == 50
    assert (edge[0], edge[-1]) == (0, 500)
    assert level[0] == np.median(np.arange(10))
    assert len(steady_levels(np.arange(3.0))[0]) == 1


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("value", [[2.0, 3.0], [-3.0, -2.0], [0.5, 0.4], [-2.0, -9.0]])
def test_a_difference_of_levels_is_a_share_of_the_value(value, direction):
    data = np.array(value)
    level = scale_free(data, direction)
    worse = (data[1] - data[0]) / abs(data[0]) * (1 if direction == "min" else -1)
    assert as_share(level[1] - level[0], data, direction) == pytest.approx(worse)


def test_a_share_across_zero_is_one_of_the_range():
    assert as_share(0.25, np.array([-1.0, 1.0])) == 0.25
    assert np.isfinite(as_share(1e6, np.array([1.0])))
