"""A climb at the end of a curve against known answers, and against a line of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.stats.climb import LEAST, climb
from trainlens.stats.gains import gain


def hinge(before, after, height, fall=0.0):
    """Falls in a line to zero, and climbs in another, shape (before + after,)."""
    down = np.linspace(fall, 0.0, before, endpoint=False)
    return np.concatenate([down, np.linspace(0.0, height, after)])


@pytest.mark.parametrize(
    ("before", "after", "fall"), [(30, 30, 0.0), (30, 30, 0.7), (20, 40, 0.0), (600, 300, 0.0)]
)
def test_the_height_of_a_line_is_known_exactly(before, after, fall):
    found = climb(hinge(before, after, 0.3, fall), before)
    assert found is not None
    assert found.value == pytest.approx(-0.3, rel=1e-9)
    assert found.error == pytest.approx(0.0, abs=1e-9)


def test_a_fall_before_is_taken_for_no_level():
    found = climb(hinge(100, 100, 0.3, fall=0.5), 100)
    assert found is not None
    assert found.value == pytest.approx(-0.3, rel=1e-2)


def test_what_went_on_long_before_does_not_count():
    y = hinge(200, 100, 0.3) + 0.05 * np.random.default_rng(0).standard_normal(300)
    assert climb(y, 200) == climb(np.concatenate([y[:100] + 9.0, y[100:]]), 200)


@given(
    seed=st.integers(0, 10**6),
    unit=st.sampled_from([1e-6, 0.25, 1e6]),
    level=st.floats(-1.0, 1.0),
)
def test_the_unit_and_the_level_do_not_matter(seed, unit, level):
    y = hinge(60, 40, 0.2) + 0.1 * np.random.default_rng(seed).standard_normal(100)
    one, other = climb(y, 60), climb(unit * (y + level), 60)
    assert one is not None
    assert other is not None
    assert other.value == pytest.approx(unit * one.value, rel=1e-6, abs=1e-9 * unit)
    assert other.error == pytest.approx(unit * one.error, rel=1e-6)


@pytest.mark.parametrize("n", [120, 2000])
def test_a_hinge_sees_more_than_a_line_of_its_own(n):
    x, at = np.linspace(0, 1, n), int(0.7 * n)
    ratios = []
    for seed in range(30):
        y = np.random.default_rng(seed).standard_normal(n)
        mine, line = climb(y, at), gain(x, y, 0.7, 1.0)
        ratios.append(mine.error / line.error)
    assert np.median(ratios) < 0.8


def test_too_few_points_on_either_side():
    y = np.zeros(100)
    assert climb(y, LEAST - 1) is None
    assert climb(y, 100 - LEAST + 1) is None
    assert climb(y, LEAST) is not None
