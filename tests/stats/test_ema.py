"""Both averages against pandas at every prefix, and their edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainlens.stats.ema import ema, recurrence, time_weighted_ema

values = arrays(
    np.float64,
    st.integers(0, 60),
    elements=st.one_of(st.floats(-1e6, 1e6, allow_subnormal=False), st.just(np.nan)),
)


def assert_close(ours, theirs, data):
    # A mean is as exact as its largest term: zero can be the sum of cancelling large values.
    scale = np.nanmax(np.abs(data)) if np.isfinite(data).any() else 1.0
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * scale)


@settings(max_examples=25, deadline=None)
@given(values, st.floats(0.001, 1.0))
def test_ema_equals_pandas_at_every_prefix(value, alpha):
    whole = ema(value, alpha)
    for n in range(len(value) + 1):
        theirs = pd.Series(value[:n], dtype=float).ewm(alpha=alpha, adjust=True, ignore_na=True)
        assert_close(whole[:n], theirs.mean().to_numpy(), value)
        assert_close(ema(value[:n], alpha), whole[:n], value)


@settings(max_examples=20, deadline=None)
@given(values, st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_time_weighted_ema_equals_pandas_at_every_prefix(value, half_life, seed):
    step = np.cumsum(np.random.default_rng(seed).integers(0, 40, len(value)))
    whole = time_weighted_ema(value, step, half_life)
    times = pd.DatetimeIndex(pd.to_datetime(step, unit="s"))
    for n in range(len(value) + 1):
        series = pd.Series(value[:n], dtype=float)
        if n == 0:
            continue
        theirs = series.ewm(halflife=f"{half_life}s", times=times[:n]).mean().to_numpy()
        assert_close(whole[:n], theirs, value)


def test_long_series_equal_pandas():
    rng = np.random.default_rng(0)
    value = rng.standard_normal(30_001) * 10.0 ** rng.integers(-3, 3, 30_001)
    value[rng.random(30_001) < 0.1] = np.nan
    theirs = pd.Series(value).ewm(alpha=0.003, adjust=True, ignore_na=True).mean().to_numpy()
    assert_close(ema(value, 0.003), theirs, np.array([1.0]))


def test_tensorboard_formula():
    value = np.random.default_rng(1).standard_normal(500)
    weight, last, expected = 0.97, 0.0, []
    for k, x in enumerate(value, 1):
        last = last * weight + (1 - weight) * x
        expected.append(last / (1 - weight**k))
    np.testing.assert_allclose(ema(value, 1 - weight), expected, rtol=0, atol=1e-13)


def test_not_finite_values_are_passed_over():
    np.testing.assert_array_equal(
        ema([np.nan, 2.0, np.inf, np.nan, 4.0], 1.0), [np.nan, 2.0, 2.0, 2.0, 4.0]
    )
    np.testing.assert_array_equal(ema([np.nan, -np.inf], 0.5), [np.nan, np.nan])


def test_equal_spacing_makes_both_the_same():
    value = np.random.default_rng(2).standard_normal(300)
    half = time_weighted_ema(value, np.arange(300) * 7, half_life=14)
    np.testing.assert_allclose(half, ema(value, 1 - 0.5**0.5), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 0.0])
def test_constants_stay_constant_at_any_size(value):
    data = np.full(3000, value)
    np.testing.assert_allclose(ema(data, 1e-4), data, rtol=1e-12)
    np.testing.assert_allclose(time_weighted_ema(data, np.arange(3000), 1e5), data, rtol=1e-12)


def test_far_apart_points_forget_each_other():
    place = np.array([-9e18, -9e18, 9e18])
    np.testing.assert_array_equal(time_weighted_ema([1.0, 3.0, 7.0], place, 1.0), [1.0, 2.0, 7.0])


def test_recurrence_equals_the_plain_loop():
    rng = np.random.default_rng(3)
    for n in (0, 1, 2, 3, 10, 17, 101):
        factor, term = rng.random(n), rng.standard_normal(n)
        state, expected = 0.0, []
        for a, b in zip(factor, term, strict=True):
            state = a * state + b
            expected.append(state)
        np.testing.assert_allclose(recurrence(factor, term), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, float("nan")])
def test_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must lie in"):
        ema([1.0], alpha)


@pytest.mark.parametrize(
    ("value", "position", "half_life", "said"),
    [
        ([1.0], [0.0], 0.0, "half_life"),
        ([1.0], [0.0], np.inf, "half_life"),
        ([1.0, 2.0], [0.0], 1.0, "2 values but 1"),
        ([1.0, 2.0], [1.0, 0.0], 1.0, "must not fall"),
        ([1.0], [np.nan], 1.0, "must be finite"),
    ],
)
def test_wrong_positions_are_refused(value, position, half_life, said):
    with pytest.raises(ValueError, match=said):
        time_weighted_ema(value, position, half_life)
