"""Buckets made apart and brought together equal buckets made of all points at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.stats.aligned import aligned_edges, aligned_width, coarser
from trainlens.stats.resample import bucket, points, refined_edges

steps = st.lists(st.integers(-1000, 5000), min_size=1, max_size=200, unique=True).map(sorted)


def series(held, seed):
    rng = np.random.default_rng(seed)
    value = rng.normal(size=len(held))
    value[rng.random(len(held)) < 0.1] = np.nan
    value[rng.random(len(held)) < 0.05] = np.inf
    return np.array(held, np.int64), value


def same(a, b):
    for name in ("first", "last", "count", "bad", "low", "high"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-12, atol=1e-12)


@given(steps, st.integers(0, 99), st.integers(2, 40), st.integers(0, 4))
def test_coarsened_buckets_equal_buckets_of_the_points(held, seed, most, doublings):
    step, value = series(held, seed)
    first, last = held[0], held[-1]
    width = aligned_width(first, last, most)
    wide = width * 2**doublings
    fine = bucket(step, value, aligned_edges(first, last, width))
    assert len(fine) <= most
    same(coarser(fine, wide), bucket(step, value, aligned_edges(first, last, wide)))
    same(coarser(points(step, value), wide), bucket(step, value, aligned_edges(first, last, wide)))


@given(steps, st.integers(0, 99), st.integers(0, 200), st.integers(0, 200))
def test_a_range_that_is_kept_stays_point_by_point(held, seed, a, length):
    step, value = series(held, seed)
    low = held[a % len(held)]
    window = (low, low + length)
    width = aligned_width(held[0], held[-1], 8)
    edge = refined_edges(aligned_edges(held[0], held[-1], width), step, [window])
    fine = bucket(step, value, edge)
    joined = coarser(fine, 2 * width, [window])
    inside = (joined.first >= window[0]) & (joined.last <= window[1])
    expected = [s for s in held if window[0] <= s <= window[1]]
    assert set(expected) <= set(joined.first[inside].tolist())
    assert joined.count.sum() == len(held)
    same(
        coarser(joined, 4 * width), bucket(step, value, aligned_edges(held[0], held[-1], 4 * width))
    )


def test_huge_values_keep_their_mean():
    fine = points(np.arange(4), np.full(4, 1e308))
    assert coarser(fine, 4).mean.tolist() == [1e308]


def test_a_cell_without_any_finite_point_has_no_mean():
    fine = points(np.arange(4), np.full(4, np.nan))
    joined = coarser(fine, 4)
    assert np.isnan(joined.mean).all()
    assert joined.bad.tolist() == [4]


def test_impossible_grids_are_refused():
    with pytest.raises(ValueError, match="no 1 cells"):
        aligned_width(0, 1, 1)
