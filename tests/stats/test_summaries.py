"""One number for a whole curve."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainlens.stats.summaries import SUMMARIES, end, slope, summary

CURVE = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6))


@pytest.mark.parametrize("name", sorted(SUMMARIES))
@given(value=CURVE)
def test_every_statistic_is_a_number_or_nan_where_points_are_too_few(name, value):
    got = summary(name, np.arange(len(value), dtype=float), value)
    if len(value) < SUMMARIES[name].least:
        assert math.isnan(got)
    elif SUMMARIES[name].in_unit:
        assert math.isfinite(got)


@pytest.mark.parametrize("name", sorted(n for n, s in SUMMARIES.items() if s.in_unit))
@given(value=CURVE, power=st.integers(-10, 10))
def test_what_has_the_unit_of_the_values_scales_with_them(name, value, power):
    place, scale = np.arange(len(value), dtype=float), 2.0**power
    got, scaled = summary(name, place, value), summary(name, place, scale * value)
    assert scaled == pytest.approx(scale * got, rel=1e-9, abs=1e-300, nan_ok=True)


@given(CURVE)
def test_mean_and_deviation_are_those_of_exact_fractions(value):
    place, size = np.arange(len(value), dtype=float), float(np.abs(value).max())
    assert summary("mean", place, value) == pytest.approx(value.mean(), abs=1e-12 * size)
    if len(value) > 1:
        wanted = statistics.stdev(value.tolist())
        assert summary("std", place, value) == pytest.approx(wanted, abs=1e-7 * size)


def test_values_near_the_largest_float_have_a_mean_and_a_deviation():
    value = np.array([1.5e308, -1.5e308, 1.5e308])
    place = np.arange(3.0)
    assert summary("mean", place, value) == pytest.approx(0.5e308)
    assert math.isfinite(summary("std", place, value))


def test_a_constant_has_no_deviation_to_the_last_bit():
    assert summary("std", np.arange(9.0), np.full(9, 0.1)) == 0.0


def test_the_end_is_five_points_at_least_and_a_tenth_of_long_curves():
    assert end(np.array([9.0, 1.0, 2.0, 3.0, 2.0, 1.0])) == 2.0
    assert end(np.arange(1000.0)) == 949.5


def test_a_slope_where_all_stand_at_one_place_is_none():
    assert math.isnan(slope(np.ones(5), np.arange(5.0)))
    assert slope(np.array([0.0, 10.0]), np.array([3.0, 1.0])) == -0.2
