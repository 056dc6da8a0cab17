"""Benjamini and Hochberg's procedure against scipy, and the rate that it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from trainlens.stats.discovery import adjusted

NAN = float("nan")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_as_scipy(p):
    np.testing.assert_allclose(adjusted(p), false_discovery_control(p), rtol=1e-12)


@given(st.lists(st.floats(0, 1) | st.just(NAN), max_size=20))
def test_what_was_not_tested_stays_so_and_is_not_counted(p):
    p = np.array(p, np.float64)
    found, tested = adjusted(p), ~np.isnan(p)
    assert (np.isnan(found) == ~tested).all()
    np.testing.assert_array_equal(found[tested], adjusted(p[tested]))


def test_known_answer():
    np.testing.assert_allclose(adjusted([0.01, 0.04, NAN, 0.03]), [0.03, 0.04, NAN, 0.04])
    assert adjusted([0.2]) == [0.2]
    assert len(adjusted([])) == 0


@pytest.mark.parametrize("p", [[-0.1], [0.5, 1.1]])
def test_no_probability(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjusted(p)


def test_among_what_counts_at_most_five_percent_are_false():
    rng = np.random.default_rng(0)
    from scipy.special import ndtr

    shares = []
    for _ in range(500):
        z = rng.standard_normal(40)
        z[:10] += 3
        counted = adjusted(2 * ndtr(-np.abs(z))) <= 0.05
        shares.append(counted[10:].sum() / max(counted.sum(), 1))
    assert 0.02 < np.mean(shares) < 0.055
