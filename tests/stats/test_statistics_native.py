"""The compiled medians, noises and gains: equal to those of numpy, and safe from any argument."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.stats import gains as gains_module
from trainlens.stats import noise
from trainlens.stats.gains import _gain_of, gain

native = pytest.importorskip(
    "trainlens.stats._native", reason="not compiled: there is only numpy to test"
)

KINDS = ("noise", "ties", "constant", "falling", "heavy", "huge", "few digits")
STATISTICS = (noise.median, noise.robust_scale, noise.second_difference_noise)


def draw(kind, n, rng):
    x = rng.standard_normal(n)
    return {
        "noise": x,
        "ties": np.round(x),
        "constant": np.full(n, 0.1),
        "falling": x * 0.01 - np.log1p(np.arange(n)),
        "heavy": x * np.exp(6 * rng.standard_normal(n)),
        "huge": x * 1e307,
        "few digits": np.round(x, 1),
    }[kind]


def with_numpy(monkeypatch, ask):
    with monkeypatch.context() as patch:
        patch.setattr(noise, "_native", None)
        patch.setattr(gains_module, "_native", None)
        return ask()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda f: f.__name__)
def test_statistics_are_those_of_numpy_to_the_last_bit(kind, statistic, monkeypatch):
    rng = np.random.default_rng(len(kind))
    for n in (*range(30), 63, 64, 500, 4001):
        x = draw(kind, n, rng)
        if statistic is not noise.median and n % 3 == 0:
            x[rng.random(n) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        expected = with_numpy(monkeypatch, lambda x=x: statistic(x))
        assert np.array_equal(statistic(x), expected, equal_nan=True)


@given(st.lists(st.floats(), max_size=60))
def test_a_median_is_that_of_numpy_whatever_the_values(values):
    value = np.array(values, np.float64)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        ours = noise.median(value)
        patch.setattr(noise, "_native", None)
        assert np.array_equal(ours, noise.median(value), equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_autocorrelation_is_that_of_numpy(kind, monkeypatch):
    rng = np.random.default_rng(1)
    for n in (0, 1, 2, 3, 7, 8, 20, 129, 1000):
        x = draw(kind, n, rng)
        x[rng.random(n) < 0.05] = np.nan
        expected = with_numpy(monkeypatch, lambda x=x: noise.lag1_autocorrelation(x))
        assert math.isclose(noise.lag1_autocorrelation(x), expected, rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 3000),
    st.integers(0, 2**32),
    st.sampled_from(["noise", "ties", "falling", "heavy", "few digits"]),
    st.sampled_from([-5, 3, 5, 8, 20, 40]),
)
def test_a_gain_is_that_of_numpy(n, seed, kind, least):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(0, 1, n)), draw(kind, n, rng)
    if seed % 4 == 0:
        x = np.round(x, 1)  # few places
    first, last = rng.uniform(-0.1, 1.1, 2)
    ours, expected = gain(x, y, first, last, least), _gain_of(x, y, first, last, least)
    assert (ours is None) == (expected is None)
    if ours is not None:
        size = max(abs(expected.error), abs(expected.value))
        assert math.isclose(ours.value, expected.value, rel_tol=1e-9, abs_tol=1e-12 * size)
        assert math.isclose(ours.error, expected.error, rel_tol=1e-9, abs_tol=1e-12 * size)
        assert math.isclose(ours.dof, expected.dof, rel_tol=1e-7)


def test_views_are_read_in_their_own_order():
    x = np.arange(200.0)
    y = np.random.default_rng(0).standard_normal(200)
    assert noise.median(y[::-3]) == np.median(y[::-3])
    assert gain(x[::2], y[::2], 0, 200) == gain(x[::2].copy(), y[::2].copy(), 0, 200)
    assert noise.median(np.array([3, 1, 2])) == 2  # whole numbers, too


def test_a_perfect_line_has_no_error():
    x = np.linspace(0, 1, 65)
    found = gain(x, 1 - x, 0.0, 1.0)
    assert (found.value, found.error) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["median", "deviation", "bend", "lag1"])
def test_bytes_that_are_no_numbers_are_an_error(name):
    with pytest.raises(TypeError):
        getattr(native, name)("abc")
    assert math.isnan(native.median(b""))
    assert math.isnan(native.median(b"1234567"))


def test_wrong_arguments_of_a_gain():
    four, five = np.arange(4.0), np.arange(5.0)
    with pytest.raises(ValueError, match="differ"):
        native.gain(four, five, 0.0, 1.0, 3)
    for window in ((np.nan, 1.0), (0.0, np.nan), (3.0, 1.0), (9.0, 10.0), (-np.inf, -1.0)):
        assert native.gain(five, five, *window, 3) is None
    assert native.gain(five, np.full(5, np.nan), -np.inf, 4.0, -(2**62)) is not None
    native.gain(five[::-1].copy(), five, 0.0, 4.0, 3)  # not ascending: no harm
