"""The course of a metric: exact extremes in bounded space, however the log was cut into polls."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.monitor.trail import BUCKETS, Course
from trainlens.run import Series

NONE = np.empty(0)
VALUES = st.floats(width=32) | st.just(math.nan) | st.just(math.inf)


def course(name="loss", split="train"):
    return Course(Series(name, split, NONE.astype(np.int64), NONE, NONE, NONE))


def grown(value, cuts=(), name="loss"):
    held, step = course(name), np.arange(len(value))
    for part in np.split(np.arange(len(value)), sorted(cuts)):
        held.take(step[part], np.asarray(value, np.float64)[part])
    return held.trail()


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=40), st.integers(1, 60), st.data())
def test_the_cutting_of_a_log_changes_nothing_but_the_mean(some, times, data):
    value = some * times
    cuts = data.draw(st.lists(st.integers(0, len(value)), max_size=8))
    one, cut = grown(value), grown(value, cuts)
    for name in ("step", "low", "high"):
        assert np.array_equal(getattr(one, name), getattr(cut, name), equal_nan=True)
    assert (one.points, one.bad, one.best, one.best_step) == (
        cut.points,
        cut.bad,
        cut.best,
        cut.best_step,
    )
    assert one.last_step == cut.last_step == len(value) - 1


@pytest.mark.parametrize("n", [1, 2, BUCKETS - 1, BUCKETS, BUCKETS + 1, 5 * BUCKETS + 3, 100_003])
def test_no_extreme_is_lost(n):
    value = np.random.default_rng(n).standard_normal(n)
    value[::7] = np.nan
    trail = grown(value, range(0, n, 1000))
    assert len(trail.step) <= BUCKETS
    edges = np.append(trail.step, n).astype(int)
    for k in range(0, len(trail.step), 37):
        part = value[edges[k] : edges[k + 1]]
        known = part[np.isfinite(part)]
        if len(known):
            assert (trail.low[k], trail.high[k]) == (known.min(), known.max())
        else:
            assert np.isnan(trail.low[k])
            assert np.isnan(trail.high[k])


def test_single_points_give_the_mean_of_pandas_where_the_half_life_is_constant():
    # Up to 250 points the half-life is 5 points.
    value = np.random.default_rng(0).standard_normal(250)
    value[10] = np.nan
    trail = grown(value, range(len(value)))
    expected = pd.Series(value).ewm(halflife=5, ignore_na=True).mean().iloc[-1]
    assert trail.ema == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_mean_of_a_constant_is_that_constant(sizes):
    held, at = course(), 0
    for size in sizes:
        held.take(np.arange(at, at + size), np.full(size, 3.25))
        at += size
    assert held.trail().ema == pytest.approx(3.25, rel=1e-12)


def test_the_mean_follows_the_last_points():
    trail = grown(np.concatenate([np.full(10_000, 5.0), np.full(2000, 1.0)]), range(0, 12_000, 500))
    assert trail.ema == pytest.approx(1.0, abs=0.1)


def test_the_best_is_the_lowest_loss_and_the_highest_accuracy():
    value = [3.0, 1.0, math.nan, 2.0]
    assert (grown(value).best, grown(value).best_step) == (1.0, 1)
    assert (grown(value, name="accuracy").best, grown(value, name="accuracy").best_step) == (3.0, 0)
    assert grown(value, name="lr").best is None


def test_what_was_given_does_not_change_when_the_log_grows():
    held = course()
    held.take(np.arange(3), np.array([1.0, 2.0, 3.0]))
    trail = held.trail()
    before = trail.high.copy()
    held.take(np.arange(3, 3000), np.full(2997, 9.0))
    assert np.array_equal(trail.high, before)
