"""Which points belong together: known answers and properties."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainlens.comparison.alignment import align
from trainlens.comparison.axis import Placed

PLACES = st.lists(st.integers(0, 500), max_size=60, unique=True).map(
    lambda held: np.sort(np.array(held, float))
)


def pairs(found, left, right):
    return list(zip(left[found.left].tolist(), right[found.right].tolist(), strict=True))


def test_the_same_places_meet():
    left, right = np.arange(0, 100, 10.0), np.arange(0, 100, 5.0)
    found = align(left, right)
    assert pairs(found, left, right) == [(x, x) for x in left]
    assert (found.exact, found.shares, found.of) == (10, (1.0, 0.5), (10, 20))


def test_shifted_places_pair_with_their_neighbours():
    left, right = np.arange(0, 50, 10.0), np.arange(3, 53, 10.0)
    assert pairs(align(left, right), left, right) == [(x, x + 3) for x in left]
    assert align(left, right).exact == 0


def test_a_few_common_places_do_not_hide_the_others():
    left, right = np.arange(0, 300, 3.0), np.arange(0, 300, 3.0)
    right[1:-1] += 1
    found = align(left, right)
    assert len(found) == 100
    assert found.exact == 2


def test_a_hole_is_no_partner():
    left = np.array([0, 100, 200, 300, 5000, 5100, 5200.0])
    right = np.arange(0, 6000, 1000.0) + 40
    found = align(left, right)
    assert all(abs(a - b) <= 500 for a, b in pairs(found, left, right))
    assert {(0.0, 40.0), (5000.0, 5040.0)} <= set(pairs(found, left, right))
    assert 2000.0 not in dict(pairs(found, left, right)).values()


def test_reasons():
    assert "no finite point" in align(np.empty(0), np.arange(3.0)).why
    assert "do not overlap" in align(np.arange(3.0), np.arange(100, 103.0)).why
    assert align(np.arange(3.0), np.arange(3.0)).why == ""


@given(PLACES, PLACES)
def test_one_partner_each_and_none_far_away(left, right):
    found = align(left, right)
    assert len(set(found.left.tolist())) == len(found.left)
    assert len(set(found.right.tolist())) == len(found.right)
    assert (np.diff(found.left) > 0).all()
    assert (np.diff(found.right) > 0).all()
    steps = [float(np.median(np.diff(x))) for x in (left, right) if len(x) > 1]
    reach = max(steps, default=0.0) / 2
    assert all(abs(a - b) <= reach for a, b in pairs(found, left, right))
    assert bool(found.why) == (len(found) == 0)


@given(PLACES, PLACES)
def test_the_order_of_the_two_does_not_matter(left, right):
    one, other = align(left, right), align(right, left)
    assert one.exact == other.exact or abs(len(one) - len(other)) <= 1
    if one.exact == len(one) and other.exact == len(other):
        assert one.left.tolist() == other.right.tolist()


def test_near():
    held = Placed(np.array([0.0, 10.0, 20.0, 30.0]), np.arange(4.0), np.arange(4))
    wanted = np.array([10.0, 14.0, 16.0, 35.0, 36.0, -6.0])
    np.testing.assert_equal(held.near(wanted), [1, 1, 2, 3, np.nan, np.nan])
    empty = Placed(np.empty(0), np.empty(0), np.empty(0, np.int64))
    np.testing.assert_equal(empty.near(wanted), np.full(6, np.nan))
    one = Placed(np.array([5.0]), np.array([2.0]), np.array([5]))
    np.testing.assert_equal(one.near(np.array([5.0, 6.0])), [2, np.nan])
