"""Numbers as people read them."""

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens import words


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (82.61, "82.61"),
        (105.23, "105.2"),
        (1234.5, "1\u202f234"),
        (99999.6, "100\u202f000"),
        (9999.96, "10\u202f000"),
        (1e-7, "1e\u22127"),
        (3.5e12, "3.5e12"),
        (math.inf, "∞"),
        (-math.inf, "\u2212∞"),
        (1e-4, "0.0001"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text


@given(st.floats(-1e308, 1e308))
def test_number_keeps_the_value_to_four_digits(value):
    text = words.number(value).replace("\u2212", "-").replace("\u202f", "")
    assert float(text) == pytest.approx(value, rel=6e-4, abs=5e-324)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (59.6, "1 min"), (60, "1 min"), (3661, "1 h 1 min"), (86400, "1 d"),
     (math.nan, "unknown"), (0, "0 s")],
)  # fmt: skip
def test_duration(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [(None, None, ""), (5, None, "step 5"), (5, 5, "step 5"),
     (9000, 15000, "steps 9\u202f000–15\u202f000")],
)  # fmt: skip
def test_steps(first, last, text):
    assert words.steps(first, last) == text
