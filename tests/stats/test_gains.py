"""Gains of many windows at once are those of one after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_curves import noise, power_law

from trainlens.stats.blocks import block_edges, block_medians, row_medians
from trainlens.stats.gains import Gain, _gain_of, _gains_of, bent, gain, gains
from trainlens.stats.noise import median

WINDOWS = [(f, 1.0) for f in (0.0, 0.05, 0.3, 0.55, 0.9, 0.999)] + [(0.02, 0.04), (0.4, 0.6)]


def alike(one, other):
    if one is None or other is None:
        return one is other
    ours, theirs = ([g.value, g.error, g.dof] for g in (one, other))
    return np.allclose(ours, theirs, rtol=1e-10, atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5000), st.integers(0, 2**32), st.sampled_from([5, 8, 20, 40]))
def test_many_windows_are_as_one_after_the_other(n, seed, least):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, n))
    y = np.log(power_law(n, rng)) + noise("ar5", n, 0.1, rng)
    if seed % 3 == 0:
        y = np.round(y, 1)  # ties
    if seed % 5 == 0:
        x = np.round(x, 1)  # few places
    found = gains(x, y, WINDOWS, least), _gains_of(x, y, WINDOWS, least)
    for window, many, with_numpy in zip(WINDOWS, *found, strict=True):
        assert alike(gain(x, y, *window, least), many)
        assert alike(_gain_of(x, y, *window, least), with_numpy)


def test_a_flat_curve_gains_nothing_in_any_window():
    x = np.arange(1, 501) / 500
    for found in gains(x, np.full(500, 2.0), WINDOWS[:4]):
        assert found == Gain(0.0, 0.0, found.dof)


def test_no_window_gives_no_gain():
    assert gains(np.arange(9.0), np.arange(9.0), []) == []


@pytest.mark.parametrize("n", [1, 2, 5, 6, 33, 1000])
def test_medians_are_those_of_numpy(n):
    rng = np.random.default_rng(n)
    for value in (rng.standard_normal(n), rng.integers(0, 3, n), np.full(n, 1.5)):
        before = value.copy()
        assert median(value) == np.median(value)
        assert np.array_equal(value, before)
    rows = rng.standard_normal((7, n))
    assert np.array_equal(row_medians(rows), np.median(rows, axis=1))
    assert np.isnan(median(np.empty(0)))


@pytest.mark.parametrize("n", [21, 40, 59, 1003])
def test_blocks_are_nearly_equal_and_hold_every_point(n):
    edge = block_edges(n, 20)
    assert np.array_equal(edge, np.linspace(0, n, 21).astype(int))
    assert set(np.diff(edge)) <= {n // 20, n // 20 + 1}
    y = np.random.default_rng(n).standard_normal(n)
    parts = [np.median(p) for p in np.split(y, edge[1:-1])]
    assert np.array_equal(block_medians(np.arange(float(n)), y, 20)[1], parts)


def test_a_bend_is_no_noise():
    x = np.arange(1, 401) / 400
    rng = np.random.default_rng(2)
    curve = np.exp(-x) + 0.005 * rng.standard_normal(400)
    line = gain(x, curve, 0.0, 1.0)
    found = bent(x, curve, 0.0, 1.0, line)
    assert found.value == line.value
    assert found.error < line.error / 3
    straight = 1 - x + 0.05 * rng.standard_normal(400)
    line = gain(x, straight, 0.0, 1.0)
    assert bent(x, straight, 0.0, 1.0, line) is line


@pytest.mark.parametrize("kind", ["white", "ar5", "ar9"])
def test_the_error_of_a_bent_curve_is_honest(kind):
    rng = np.random.default_rng(3)
    x = np.arange(1, 301) / 300
    truth = gain(x, np.exp(-2 * x), 0.0, 1.0).value
    found = [
        bent(x, y, 0.0, 1.0, gain(x, y, 0.0, 1.0))
        for y in (np.exp(-2 * x) + noise(kind, 300, 0.03, rng) for _ in range(400))
    ]
    assert np.mean([g.lower() > truth for g in found]) < 0.09
    assert np.mean([g.upper() < truth for g in found]) < 0.09
