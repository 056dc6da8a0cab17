"""Charts: every column reaches exactly as far as its values, whatever floats they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screen_updates import trail

from trainlens.monitor.screen import axes, charts
from trainlens.monitor.screen.axes import Axis, axis, course, ticks
from trainlens.monitor.screen.marks import ASCII, UNICODE

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("held", "most", "words"),
    [
        (Axis(0.0, 1.0), 3, ["0", "0.5", "1"]),
        (Axis(0.31, 2.4), 5, ["0.5", "1", "1.5", "2"]),
        (Axis(0.99991, 0.99994), 4, ["0.99991", "0.99992", "0.99993", "0.99994"]),
        (Axis(-3.0, 12_000.0), 4, ["0", "5\u202f000", "10\u202f000"]),
        (Axis(1e-5, 3e3, True), 5, ["1e−5", "0.001", "0.1", "10", "1\u202f000"]),
        (Axis(0.3, 2.4, True), 4, ["0.5", "1", "2"]),
        (Axis(5.0, 5.0), 4, ["5"]),
        (Axis(-1.7e308, 1.7e308), 4, ["−1e308", "0", "1e308"]),
    ],
)
def test_round_numbers(held, most, words):
    assert [text for _, text in ticks(held, most)] == words


@given(FINITE, FINITE, st.integers(2, 12), st.booleans())
def test_round_numbers_lie_on_the_axis_in_order_and_differ(a, b, most, log):
    low, high = sorted((abs(a), abs(b)) if log else (a, b))
    if log and low <= 0:
        return
    held = Axis(low, high, log)
    found = ticks(held, most)
    value = np.array([v for v, _ in found])
    assert len(found) <= most
    assert len({text for _, text in found}) == len(found)
    slack = (high / 2 - low / 2) * 1e-6 + abs(high) * 1e-8 + abs(low) * 1e-8
    assert all(low - slack <= v <= high + slack for v in value.tolist())
    assert (value[1:] > value[:-1]).all()


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=40), st.integers(1, 60),
       st.integers(2, 80))  # fmt: skip
def test_every_column_holds_its_values_and_the_ends_are_reached(pairs, columns, rows):
    low, high = np.sort(np.array(pairs), axis=1).T
    held = trail(value=low, low=low, high=high)
    scale = axis(held, log=False)
    spans = course(held, scale, columns, rows)
    place = axes._places(held, columns)
    bottom, top = (np.round(scale.share(v) * (rows - 1)).astype(int) for v in (low, high))
    for k, a, b in zip(place, bottom, top, strict=True):
        assert spans[k][0] <= a <= b <= spans[k][1]
    assert all(s is None or 0 <= s[0] <= s[1] < rows for s in spans)
    if scale.high / 2 > scale.low / 2:
        assert min(s[0] for s in spans if s) == 0
        assert max(s[1] for s in spans if s) == rows - 1


def test_columns_without_a_finite_value_are_gaps_and_others_are_joined():
    held = trail(value=[1.0, 2.0, np.nan, 4.0], step=[0, 10, 20, 30])
    spans = course(held, axis(held, log=False), 31, 31)
    assert spans[0] == (0, 0)
    assert None not in spans[:11]
    assert spans[11:30] == [None] * 19
    assert spans[30] == (30, 30)


def test_neighbouring_columns_touch():
    held = trail(value=[0.0, 1.0, 0.0], step=[0, 1, 2])
    assert course(held, axis(held, log=False), 3, 12) == [(0, 0), (1, 11), (0, 0)]


def test_a_level_metric_lies_in_the_middle():
    held = trail(value=[3.0] * 5)
    assert set(course(held, axis(held, log=False), 5, 9)) == {(4, 4)}


def test_a_logarithmic_axis_leaves_out_what_is_not_above_zero():
    held = trail(value=[-1.0, 0.0, 1.0, 10.0, 100.0], step=range(5))
    scale = axis(held, log=True)
    assert scale == Axis(1.0, 100.0, True)
    assert course(held, scale, 5, 21) == [None, None, (0, 0), (1, 10), (11, 20)]
    # Where nothing is above 0 the axis is linear.
    below = trail(value=[-1.0, -2.0])
    assert axis(below, log=True) == Axis(-2.0, -1.0)


def test_a_band_that_reaches_below_zero_reaches_the_bottom_of_a_logarithmic_axis():
    held = trail(value=[1.0, 100.0], low=np.array([-5.0, 10.0]), high=np.array([1.0, 100.0]))
    assert course(held, axis(held, log=True), 2, 21) == [(0, 0), (1, 20)]


def test_no_finite_value_has_no_axis():
    assert axis(trail(value=[np.nan, np.inf]), log=False) is None
    assert axis(trail(), log=True) is None
    wanted = charts.Wanted(40, 8, False, UNICODE)
    told = [line.plain for line in charts.chart(trail(value=[np.nan]), wanted)]
    assert told == ["  no finite value", *[""] * 7]
    assert charts.chart(trail(), wanted)[0].plain == "  no value yet"


@pytest.mark.parametrize("marks", [UNICODE, ASCII])
@pytest.mark.parametrize("lines", range(1, 12))
@pytest.mark.parametrize("columns", [1, 3, 4, 5, 10, 80])
def test_a_chart_has_the_lines_that_are_asked_for(marks, lines, columns):
    for log in (False, True):
        wanted = charts.Wanted(columns, lines, log, marks)
        for value in ([1.0], [1e308, -1e308], np.linspace(1e-300, 1, 300)):
            assert len(charts.chart(trail(value=value), wanted)) == lines


def test_a_chart_is_what_it_was():
    wanted = charts.Wanted(24, 6, False, ASCII)
    told = [line.plain.rstrip() for line in charts.chart(trail(value=range(0, 21)), wanted)]
    assert told == [
        "20 +               _.--'",
        "   |         __.--'",
        "   |    __.-'",
        " 0 +_--'",
        "   ++------------------+",
        "    0                200",
    ]
