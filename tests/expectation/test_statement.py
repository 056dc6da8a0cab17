"""What an expectation is, what it accepts, and what is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.expectation import AXES, OPERATORS, STATS, Expectation, parse

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHARE = st.none() | st.floats(0, 1e6)


@st.composite
def expectations(draw):
    """Any expectation, without a label: a statement has none."""
    op = draw(st.sampled_from(OPERATORS))
    at = draw(st.none() | FINITE)
    ends = sorted(draw(st.tuples(FINITE, FINITE))) if at is None else (None, None)
    first, last = (e if draw(st.booleans()) else None for e in ends)
    return Expectation(
        draw(st.text(min_size=1)),
        draw(st.sampled_from(["train", "val", "test", "gap", "*", "ood", "a b"])),
        op,
        draw(FINITE),
        "" if at is not None else draw(st.sampled_from(sorted(STATS))),
        at,
        first,
        last,
        "step" if (at, first, last) == (None, None, None) else draw(st.sampled_from(AXES)),
        draw(FINITE) if op == "between" else None,
        draw(st.sampled_from(["", "ratio", "difference"])),
        draw(SHARE),
        draw(SHARE),
    )


@given(expectations())
def test_a_mapping_stands_for_it(one):
    assert Expectation.of(one.mapping) == one


@given(expectations())
def test_its_text_stands_for_it(one):
    assert parse(str(one)) == one


@given(expectations(), FINITE, st.floats(-1e6, 1e6))
def test_a_tolerance_only_widens_what_is_accepted(one, number, baseline):
    bare = Expectation.of({**one.mapping, "rtol": 0.0, "atol": 0.0})
    wide = Expectation.of({**one.mapping, "rtol": 0.5, "atol": 1.0})
    if bare.met(number, baseline):
        assert wide.met(number, baseline)
    low, high = bare.limits(baseline)
    assert low <= high


@pytest.mark.parametrize(
    ("op", "more", "met", "missed"),
    [
        ("<", {}, [79.99, -1e9], [80.0, 81.0]),
        ("<=", {}, [80.0], [80.01]),
        (">", {}, [80.01], [80.0]),
        (">=", {}, [80.0], [79.99]),
        ("==", {}, [80.0], [79.999]),
        ("==", {"atol": 0.01}, [79.995, 80.005], [79.98]),
        ("<", {"rtol": 0.1}, [87.9], [88.0]),
        (">=", {"rtol": 0.1}, [72.0], [71.9]),
        ("about", {}, [72.0, 88.0], [71.9, 88.1]),
        ("about", {"rtol": 0.01}, [80.8], [81.0]),
        ("about", {"atol": 3.0}, [77.0, 83.0], [76.9]),
        ("between", {"upper": 90.0}, [80.0, 90.0], [79.9, 90.1]),
        ("between", {"upper": 70.0}, [70.0, 80.0], [69.9]),
    ],
)
def test_what_is_accepted(op, more, met, missed):
    one = Expectation("mpjpe", "val", op, 80.0, "mean", **more)
    assert all(map(one.met, met))
    assert not any(map(one.met, [*missed, math.nan]))


def test_a_tolerance_around_a_negative_limit_widens_too():
    assert Expectation("m", "val", "<", -10.0, "mean", rtol=0.1).met(-9.5)
    assert Expectation("m", "val", "about", -10.0, "mean").limits() == (-11.0, -9.0)


def test_what_is_said_of_the_baseline():
    ratio = Expectation("mpjpe", "val", "<=", 0.95, "mean", against="ratio")
    assert ratio.needs_baseline
    assert ratio.limits(84.47) == (-math.inf, 0.95 * 84.47)
    less = Expectation("mpjpe", "gap", "<=", -12.5, at=3000, against="difference")
    assert less.met(45.0, 57.5)
    assert not less.met(45.1, 57.5)
    with pytest.raises(ValueError, match="no baseline to compare with"):
        ratio.met(80.0)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"op": "~"}, "no operator '~'"),
        ({"at": 3, "stat": "last"}, "not both"),
        ({"at": 3, "from": 1}, "exclude each other"),
        ({"stat": "mode"}, "no statistic 'mode'"),
        ({"value": None}, "value is neither a number nor two"),
        ({"value": True}, "value is neither a number nor two"),
        ({"value": math.nan}, "finite numbers only"),
        ({"value": 10**400}, "value is neither a number nor two"),
        ({"value": [1, 2]}, "between takes two values"),
        ({"op": "between"}, "between takes two values"),
        ({"axis": "hour"}, "no axis 'hour'"),
        ({"against": "best"}, "no comparison 'best'"),
        ({"from": 5, "to": 4}, "no point lies from 5 to 4"),
        ({"rtol": -0.1}, "not below 0"),
        ({"rtol": "10 %"}, "rtol is no number"),
        ({"split": 3}, "split is no text"),
        ({"metric": ""}, "needs the name"),
        ({"when": 4}, "no key 'when'"),
        ({"toll": 4}, "did you mean 'rtol'|did you mean 'atol'|there are"),
    ],
)
def test_what_is_none_is_refused(bad, why):
    with pytest.raises(ValueError, match=why):
        Expectation.of({"metric": "loss", "split": "train", "op": "<", "value": 1.0, **bad})


@pytest.mark.parametrize("key", ["metric", "op", "value"])
def test_what_is_missing_is_named(key):
    whole = {"metric": "loss", "op": "<", "value": 1.0}
    with pytest.raises(ValueError, match=f"needs '{key}'"):
        Expectation.of({k: v for k, v in whole.items() if k != key})


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("val/mpjpe", ("val", "mpjpe")),
        ("train/loss", ("train", "loss")),
        ("gap/mpjpe", ("gap", "mpjpe")),
        ("bbox/loss", ("train", "bbox/loss")),
    ],
)
def test_a_table_without_split_may_name_it_with_the_metric(name, series):
    one = Expectation.of({"metric": name, "op": "<", "value": 1})
    assert (one.split, one.metric) == series
    whole = Expectation.of({"metric": name, "split": "val", "op": "<", "value": 1})
    assert (whole.split, whole.metric) == ("val", name)


def test_a_table_may_leave_out_split_and_statistic():
    one = Expectation.of({"metric": "loss", "op": "<", "value": 1})
    assert (one.split, one.stat) == ("train", "end")
    assert Expectation.of({"metric": "a", "split": "Valid", "op": "<", "value": 1}).split == "val"


def test_steps_are_whole_in_a_mapping():
    one = parse("val/mpjpe at 12,000 < 85 mm")
    assert one.mapping == {"metric": "mpjpe", "split": "val", "at": 12000, "op": "<",
                           "value": 85.0, "unit": "mm"}  # fmt: skip
    assert isinstance(one.mapping["at"], int)
