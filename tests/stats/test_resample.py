"""Buckets keep every extreme, count everything and lose nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainlens.stats.resample import bucket, points, refined_edges, uniform_edges

values = hnp.arrays(
    np.float64,
    st.integers(1, 300),
    elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]),
)


@given(values, st.integers(1, 50), st.integers(1, 9), st.integers(-500, 10**12))
def test_buckets_equal_a_loop(value, buckets, stride, first):
    step = first + stride * np.arange(len(value), dtype=np.int64)
    edge = uniform_edges(int(step[0]), int(step[-1]), buckets)
    got = bucket(step, value, edge)
    assert len(edge) - 1 <= buckets
    assert got.count.sum() == len(value)
    assert got.bad.sum() == np.count_nonzero(~np.isfinite(value))
    for i in range(len(got)):
        here = (step >= got.first[i]) & (step <= got.last[i])
        good = value[here & np.isfinite(value)]
        assert got.count[i] == here.sum()
        if len(good):
            assert (got.low[i], got.high[i]) == (good.min(), good.max())
            assert got.mean[i] == pytest.approx(good.mean(), rel=1e-9, abs=1e-6)
            assert got.low[i] <= got.mean[i] <= got.high[i]
        else:
            assert np.isnan([got.low[i], got.high[i], got.mean[i]]).all()


@given(st.integers(-1000, 1000), st.integers(0, 100_000), st.integers(1, 700))
def test_edges_are_of_one_width_and_hold_both_ends(first, span, buckets):
    edge = uniform_edges(first, first + span, buckets)
    assert edge[0] == first
    assert edge[-2] <= first + span < edge[-1]
    assert len(np.unique(np.diff(edge))) == 1
    assert len(edge) - 1 <= buckets


def test_last_step_is_in_the_last_bucket():
    step = np.arange(101, dtype=np.int64)
    got = bucket(step, step.astype(float), uniform_edges(0, 100, 10))
    assert got.last[-1] == 100
    assert got.high[-1] == 100.0


def test_gaps_in_the_steps_leave_no_bucket():
    step = np.array([0, 1, 90, 91], np.int64)
    got = bucket(step, np.array([1.0, 3.0, 5.0, 7.0]), uniform_edges(0, 91, 10))
    assert got.first.tolist() == [0, 90]
    assert got.mean.tolist() == [2.0, 6.0]


def test_a_window_is_kept_at_full_resolution():
    step = np.arange(0, 10_000, 10, dtype=np.int64)
    value = np.sin(step / 7.0)
    edge = refined_edges(uniform_edges(0, 9_990, 20), step, [(5_000, 5_100), (99_999, 100_000)])
    got = bucket(step, value, edge)
    inside = (got.first >= 5_000) & (got.last <= 5_100)
    assert np.array_equal(got.first[inside], np.arange(5_000, 5_101, 10))
    assert np.array_equal(got.mean[inside], value[500:511])
    assert got.count.sum() == len(step)


def test_points_are_exact():
    got = points(np.array([3, 7], np.int64), np.array([1.5, np.nan]))
    assert got.exact
    assert got.bad.tolist() == [0, 1]
    assert got.first.tolist() == got.last.tolist() == [3, 7]


def test_nothing_gives_nothing():
    none = np.empty(0, np.int64)
    assert len(bucket(none, np.empty(0), uniform_edges(0, 9, 3))) == 0
    assert len(points(none, np.empty(0))) == 0


def test_a_sum_that_overflows_has_a_finite_mean():
    got = bucket(np.arange(4), np.full(4, 1.5e308), np.array([0, 4]))
    assert got.mean.tolist() == [1.5e308]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: uniform_edges(0, 5, 0), "at least 1"),
        (lambda: uniform_edges(5, 0, 3), "before"),
        (lambda: bucket(np.arange(9), np.zeros(9), np.array([0, 5])), "not inside"),
        (lambda: bucket(np.arange(9), np.zeros(8), np.array([0, 9])), "shape"),
    ],
)
def test_misuse_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
