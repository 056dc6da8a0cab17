"""Curves in a line of text show exactly the rows that the values of each column reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainlens.render.braille import canvas, curve, spans
from trainlens.reporting.sketches import COLUMNS, Sketch, columns, levels

# Dot numbers of braille by row from the bottom, as Unicode names them.
LEFT, RIGHT = (7, 3, 2, 1), (8, 6, 5, 4)


def sketch(value, step=None):
    value = np.asarray(value, float)
    step = np.arange(len(value)) if step is None else np.asarray(step)
    low, high = levels(*columns(step, value))
    return Sketch("loss", "train", "", None, None, float(value[-1]), int(step[-1]), low, high)


def rows(text):
    """The rows that have a dot, for each column of braille."""
    found = []
    for letter in text:
        bits = ord(letter) - 0x2800
        for side in (LEFT, RIGHT):
            found.append([row for row, dot in enumerate(side) if bits >> (dot - 1) & 1])
    return found


def test_known_curves():
    assert curve(sketch(np.linspace(1, 0, COLUMNS)), 4) == "⠉⠒⠤⣀"
    assert curve(sketch(np.linspace(0, 1, COLUMNS)), 4) == "⣀⠤⠒⠉"
    assert curve(sketch(np.linspace(0, 1, COLUMNS)), 4, plain=True) == "_.-'"
    assert curve(sketch([1.0, 1.0, 1.0]), 2) == "⠤⠤"


def test_a_column_reaches_from_its_minimum_to_its_maximum():
    value = np.full(64 * 100, 0.0)
    value[3250] = 1.0
    shown = rows(curve(sketch(value), 32))
    assert shown[32] == [0, 1, 2, 3]
    assert [r for k, r in enumerate(shown) if k != 32] == [[0]] * 63


def test_what_is_not_finite_is_a_gap():
    value = np.linspace(1, 0, 640)
    value[320:] = np.nan
    value[0] = np.inf
    text = curve(sketch(value), 16)
    assert text[9:] == "\u2800" * 7
    assert "\u2800" not in text[:8]
    assert curve(sketch(value), 16, plain=True)[9:] == " " * 7
    assert curve(sketch([np.nan, np.nan]), 3) == "\u2800" * 3


def test_few_points_are_joined_by_lines():
    shown = rows(curve(sketch([1.0, 0.0], [0, 1000]), 16))
    tops = [max(r) for r in shown]
    assert all(len(r) == 1 for r in shown)
    assert tops == sorted(tops, reverse=True)
    assert set(tops) == {0, 1, 2, 3}


def test_a_step_axis_and_not_an_index():
    # Half of the points lie in the last tenth of the steps.
    step = np.concatenate([np.arange(0, 900, 9), 900 + np.arange(100)])
    value = np.concatenate([np.zeros(100), np.ones(100)])
    shown = rows(curve(sketch(value, step), 20))
    assert [max(r) for r in shown[:35]] == [0] * 35
    assert [max(r) for r in shown[-3:]] == [3] * 3


def test_the_largest_floats():
    big = np.array([-1.7e308, 1.7e308] * 40)
    assert rows(curve(sketch(big), 4)) == [[0, 1, 2, 3]] * 8


def test_one_point_is_no_line():
    assert curve(sketch([5.0]), 3) == "⠄\u2800\u2800"
    assert curve(sketch([np.nan]), 2) == "\u2800\u2800"


@given(
    arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    st.integers(1, 70),
    st.booleans(),
)
def test_any_series_has_a_curve_of_the_width_asked_for(value, cells, plain):
    held = sketch(value)
    text = curve(held, cells, plain=plain)
    assert len(text) == cells
    if plain:
        assert set(text) <= set(" _.-'")
        return
    shown = rows(text)
    assert all(r == list(range(min(r), max(r) + 1)) for r in shown if r)
    finite = value[np.isfinite(value)]
    if len(finite) and finite.min() < finite.max() and 2 * cells <= len(held.low):
        reached = {row for r in shown for row in r}
        assert {0, 3} <= reached
    assert any(shown) == bool(len(finite))


@given(arrays(np.float64, st.integers(2, 400), elements=st.floats(-1e300, 1e300)))
def test_columns_hold_every_extreme(value):
    low, high = columns(np.arange(len(value)), value)
    assert np.nanmin(low) == value.min()
    assert np.nanmax(high) == value.max()
    assert (low <= high).all()


@pytest.mark.parametrize("columns_", [1, 2, 3, 64, 65, 200])
def test_spans_of_any_number_of_columns(columns_):
    assert len(spans(bytes(range(1, 65)), bytes(range(1, 65)), columns_)) == columns_


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)) | st.none()))
def test_a_canvas_has_a_dot_exactly_where_a_column_reaches(lines, pairs):
    held = [p if p is None else tuple(min(4 * lines - 1, x) for x in sorted(p)) for p in pairs]
    drawn = [rows(line) for line in reversed(canvas(held, lines))]
    for k, span in enumerate(held):
        found = [4 * line + row for line in range(lines) for row in drawn[line][k]]
        assert found == ([] if span is None else list(range(span[0], span[1] + 1)))


def test_a_canvas_in_ascii():
    assert canvas([(0, 7), (3, 4), None, (7, 7)], 2, plain=True) == ["|_ '", "|'  "]
    assert canvas([], 2) == ["", ""]
