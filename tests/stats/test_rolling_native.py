"""The compiled rolling quantile: equal to the numpy one, and safe from any argument."""

import numpy as np
import pytest

from trainlens.stats.rolling import _quantile, rolling_quantile

native = pytest.importorskip(
    "trainlens.stats._native", reason="not compiled: there is only the numpy one to test"
)


def draw(rng):
    """Values of many kinds: ties, trends, outliers, gaps, huge ones, two levels."""
    n = int(rng.integers(0, 700))
    x = rng.standard_normal(n)
    kind = rng.integers(7)
    if kind == 1:
        x = np.round(x)
    elif kind == 2:
        x = np.arange(float(n)) * rng.choice([-1.0, 1.0])
    elif kind == 3:
        x *= np.exp(5 * rng.standard_normal(n))
    elif kind == 4:
        x *= 1e307
    elif kind == 5:
        x = x * 1e-3 + (np.arange(n) > n / 2)
    elif kind == 6:
        x *= np.linspace(1, 0.01, n)  # the core must shrink with the noise
    if n and rng.random() < 0.4:
        x[rng.random(n) < 0.03] = rng.choice([np.nan, np.inf, -np.inf])
    return x


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_numpy(seed):
    rng = np.random.default_rng(seed)
    for _ in range(120):
        x = draw(rng)
        window, q = int(rng.integers(1, 300)), float(rng.choice([0.0, 0.3, 0.5, 0.85, 1.0]))
        lag, least = int(rng.integers(0, 12)), int(rng.integers(0, 40))
        start = int(rng.integers(0, len(x) + 1))
        ours = rolling_quantile(x, window, q, lag=lag, min_periods=least, start=start)
        assert np.array_equal(ours, _quantile(x, window, q, lag, least, start), equal_nan=True)


def test_a_reversed_view_is_read_in_its_own_order():
    x = np.random.default_rng(0).standard_normal(200)
    expected = rolling_quantile(x[::-1].copy(), 9, 0.5)
    assert np.array_equal(rolling_quantile(x[::-1], 9, 0.5), expected)


def test_windows_longer_than_the_series_and_huge_lags():
    x = np.random.default_rng(0).standard_normal(50)
    for window in (51, 52, 10**6, 2**62):
        ours = rolling_quantile(x, window, 0.5)
        assert np.array_equal(ours, [np.median(x[: i + 1]) for i in range(50)])
    assert np.isnan(rolling_quantile(x, 5, 0.5, lag=2**62)).all()


@pytest.mark.parametrize(
    "arguments",
    [(0, 0.5, 0, 1, 0), (5, 1.1, 0, 1, 0), (5, -0.1, 0, 1, 0), (5, float("nan"), 0, 1, 0),
     (5, 0.5, -1, 1, 0), (5, 0.5, 0, 0, 0), (5, 0.5, 0, 1, -1), (5, 0.5, 0, 1, 9)],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match="range"):
        native.rolling_quantile(np.zeros(8), *arguments)


def test_values_that_defeat_a_median_of_three_cost_no_quadratic_time():
    # Organ pipes and saw teeth: bad pivots. Each point is compared with the exact answer.
    pipe = np.concatenate([np.arange(400.0), np.arange(400.0)[::-1]])
    saw = np.tile(np.arange(37.0), 30) + np.arange(1110) * 1e-9
    for x in (pipe, np.tile(pipe, 3), saw, -saw):
        for window in (101, 501):
            ours = rolling_quantile(x, window, 0.5)
            assert np.array_equal(ours, _quantile(x, window, 0.5, 0, 1, 0))
