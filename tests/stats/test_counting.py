"""Shares of right answers, and how many samples are behind them."""

import numpy as np
import pytest

from trainlens.stats.counting import counting_noise, samples_behind


@pytest.mark.parametrize("n", [7, 49, 300, 1999])
@pytest.mark.parametrize("digits", [5, 7, 15])
def test_the_number_of_samples_is_read_from_the_values(n, digits):
    rng = np.random.default_rng(n)
    right = rng.integers(0, n + 1, 30)
    found = samples_behind(np.round(right / n, digits))
    if 0.5 * 10.0**-digits * n < 0.2 and digits > 5:
        assert found == n
    else:  # rounding may hide it, but never invents more samples than there are
        assert found <= n


def test_percent_are_shares_too():
    assert samples_behind(np.array([10.0, 12.5, 87.5])) == 40


@pytest.mark.parametrize(
    "value", [[0.5, 0.5, 0.5], [0.1, 0.2], [-1.0, 0.5, 0.2], [3.0, 700.0, 2.0], []]
)
def test_what_is_no_share_has_none(value):
    assert samples_behind(np.array(value)) == 0
    assert counting_noise(np.array(value)) == 0.0


def test_values_of_many_digits_have_none():
    assert samples_behind(np.random.default_rng(0).random(40)) == 0


def test_values_of_few_digits_may_be_rounded_and_have_none():
    assert samples_behind(np.array([0.5, 0.51, 0.49, 0.52])) == 0


def test_the_noise_is_binomial():
    value = np.array([36, 37, 35, 36, 36]) / 72
    assert counting_noise(value) == pytest.approx(np.sqrt(0.25 / 72))
    assert counting_noise(100 * value) == pytest.approx(100 * np.sqrt(0.25 / 72))
