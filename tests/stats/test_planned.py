"""Planned schedules: known values, torch as an oracle, and specs that are damaged."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.stats.planned import KINDS, PlanError, parse

KNOWN = [
    ({"kind": "constant", "factor": 0.5}, [0.5, 0.5, 0.5]),
    ({"kind": "linear-warmup", "warmup": 0.5}, [0.0, 1.0, 1.0]),
    ({"kind": "linear"}, [1.0, 0.5, 0.0]),
    ({"kind": "cosine", "end": 0.2}, [1.0, 0.6, 0.2]),
    ({"kind": "cosine-restarts", "cycles": 2, "height": 0.5}, [1.0, 0.5, 0.0]),
    ({"kind": "polynomial", "power": 2}, [1.0, 0.25, 0.0]),
    ({"kind": "exponential", "end": 0.01}, [1.0, 0.1, 0.01]),
    ({"kind": "step", "at": [0.5, 0.9]}, [1.0, 0.1, 0.01]),
    ({"kind": "inverse-sqrt", "warmup": 0.25}, [0.0, math.sqrt(0.5), 0.5]),
    ({"kind": "warmup-stable-decay", "warmup": 0.1, "decay": 0.4}, [0.0, 1.0, 0.0]),
    ({"kind": "one-cycle", "warmup": 0.5, "end": 0.001}, [0.04, 1.0, 0.001]),
    ({"kind": "ramp", "warmup_end_progress": 0.4, "ramp_duration_progress": 0.2}, [0.0, 0.5, 1.0]),
    ({"kind": "piecewise", "at": [0.0, 1.0], "factors": [1, 3], "between": "linear"}, [1, 2, 3]),
    ({"kind": "piecewise", "at": [0.5], "factors": [1, 3]}, [1, 3, 3]),
]


@pytest.mark.parametrize(("spec", "expected"), KNOWN, ids=[s["kind"] for s, _ in KNOWN])
def test_known_values(spec, expected):
    assert parse(spec).factor([0.0, 0.5, 1.0]) == pytest.approx(expected)
    assert {s["kind"] for s, _ in KNOWN} == set(KINDS)


def test_steps_and_shares_say_the_same():
    by_steps = parse({"kind": "step", "at_steps": [300, 600], "total_steps": 1000})
    by_share = parse({"kind": "step", "at": [0.3, 0.6]})
    step = np.arange(1200)
    assert np.array_equal(by_steps.value(step), by_share.value(step, 1000))
    assert by_share.value(299, 1000) == 1.0
    assert by_share.value(300, 1000) == 0.1


def test_a_chain_of_warmup_and_cosine():
    plan = parse(
        {"kind": "chain", "base": 3e-4, "total_steps": 10_000,
         "parts": [{"kind": "linear-warmup", "until_steps": 500},
                   {"kind": "cosine", "end": 0.01}]}
    )  # fmt: skip
    value = plan.value([0, 250, 500, 5250, 10_000, 20_000])
    assert value == pytest.approx([0, 1.5e-4, 3e-4, 1.515e-4, 3e-6, 3e-6])


def test_places_in_a_part_relate_to_it():
    plan = parse(
        {"kind": "chain", "total_steps": 1000,
         "parts": [{"kind": "constant", "until": 0.5}, {"kind": "step", "at_steps": [100]}]}
    )  # fmt: skip
    assert plan.value([599, 600]).tolist() == [1.0, 0.1]


def test_one_cycle_is_that_of_torch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=1001)
    value = []
    for i in range(1001):
        value.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if i < 1000:
            scheduler.step()
    plan = parse({"kind": "one-cycle", "base": 0.1, "warmup": 0.2993, "total_steps": 1000})
    assert plan.value(np.arange(1001)) == pytest.approx(value, abs=1e-9)


def test_restarts_are_those_of_torch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 100, 2)
    value = []
    for _ in range(700):
        value.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    plan = parse({"kind": "cosine-restarts", "cycles": 3, "growth": 2, "total_steps": 700})
    assert plan.value(np.arange(700)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("first", "growth"), [(100, 2), (70, 1), (33, 3), (7, 1.25)])
def test_restarts_from_a_first_length_are_those_of_torch(first, growth):
    """Also where the end of the run cuts the last cycle off."""
    spec = {"kind": "cosine-restarts", "first_steps": first, "growth": growth, "end": 0.01}
    value = parse({**spec, "total_steps": 1000}).value(np.arange(1000))
    edge, length = 0.0, float(first)
    for k in range(1000):
        while k >= edge + length - 1e-6:
            edge, length = edge + length, length * growth
        u = max(0.0, k - edge) / length
        expected = 0.01 + 0.99 * (1 + math.cos(math.pi * u)) / 2
        assert value[k] == pytest.approx(expected, abs=1e-9)
    share = {"kind": "cosine-restarts", "first": first / 1000, "growth": growth, "end": 0.01}
    assert parse(share).value(np.arange(1000), 1000) == pytest.approx(value, abs=1e-12)


def test_restarts_with_a_growth_next_to_one():
    """The sum of the lengths keeps its digits; the last of 10 equal cycles ends with the run."""
    plan = parse({"kind": "cosine-restarts", "first": 0.1, "growth": 1 + 1e-9})
    same = parse({"kind": "cosine-restarts", "cycles": 10})
    p = np.linspace(0.003, 0.997, 1000)
    assert plan.factor(p) == pytest.approx(same.factor(p), abs=1e-6)
    assert parse({"kind": "cosine-restarts", "first": 0.1}).factor(1.0) == 0.0


@pytest.mark.parametrize("k", [1, 3, 7, 299, 300])
def test_a_step_at_a_place_has_reached_it_whatever_the_rounding(k):
    total = 1000
    place = (k / 7) / (total / 7)
    for spec in (
        {"kind": "ramp", "warmup_end_progress": place, "ramp_duration_progress": 0.0},
        {"kind": "piecewise", "at": [place, place], "factors": [0, 1], "between": "linear"},
        {"kind": "chain", "parts": [{"kind": "constant", "factor": 0, "until": place},
                                    {"kind": "constant"}]},
    ):  # fmt: skip
        assert parse(spec).value([k - 1, k], total).tolist() == [0.0, 1.0]


def test_a_chain_passes_over_parts_without_a_length_and_holds_its_end():
    parts = [{"kind": "constant", "factor": 9, "until": 0}, {"kind": "linear", "until": 0.5},
             {"kind": "linear", "start": 3, "end": 2, "until": 0.75}]  # fmt: skip
    factor = parse({"kind": "chain", "parts": parts}).factor([0.0, 0.25, 0.5, 0.75, 1.0])
    assert factor.tolist() == [1.0, 0.5, 3.0, 2.0, 2.0]
    whole = [{"kind": "linear-warmup", "until_steps": 500}, {"kind": "cosine"}]
    plan = parse({"kind": "chain", "parts": whole, "total_steps": 500})
    assert plan.value([250, 500, 900]).tolist() == [0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"kind": "cosine-restarts", "first": 0}, "first must be above 0"),
        ({"kind": "cosine-restarts", "first": 1e-300}, "within 10000"),
        ({"kind": "cosine-restarts", "first": 0.1, "growth": 0.5}, "within 10000"),
        ({"kind": "cosine-restarts", "first": 0.1, "cycles": 3}, "not both"),
        ({"kind": "chain", "parts": [{"kind": "cosine", "until": 0}]}, "has a length"),
        (None, "mapping"),
        ({}, "unknown kind"),
        ({"kind": ["x"]}, "unknown kind"),
        ({"kind": "cosine", "foo": 1}, "cosine has no 'foo'"),
        ({"kind": "exponential"}, "needs 'end'"),
        ({"kind": "exponential", "end": 0}, "above 0"),
        ({"kind": "step", "at": "x"}, "list of numbers"),
        ({"kind": "step", "at": [0.5, 0.1]}, "ascends"),
        ({"kind": "constant", "base": "1e-4"}, "must be a number"),
        ({"kind": "constant", "base": True}, "must be a number"),
        ({"kind": "cosine", "total_steps": 0}, "above 0"),
        ({"kind": "chain"}, "parts"),
        ({"kind": "chain", "parts": [{"kind": "cosine"}, {"kind": "cosine"}]}, "until"),
        ({"kind": "one-cycle", "shape": "square"}, "none of"),
        ({"kind": "piecewise", "at": [0.1], "factors": [1]}, "as many factors"),
        ({"kind": "cosine", "ratios": 3}, "ratios"),
        ({"kind": "cosine", "times": 1.5}, "times must be the name"),
    ],
)
def test_a_damaged_plan_says_why(spec, reason):
    with pytest.raises(PlanError, match=reason):
        parse(spec)


def test_what_multiplies_a_plan_is_only_named():
    plan = parse({"kind": "linear", "times": "lr_factor", "total_steps": 10})
    assert plan.times == "lr_factor"
    assert plan.value([0, 5]).tolist() == [1.0, 0.5]
    assert parse({"kind": "linear"}).times == ""


def test_a_chain_within_itself_ends():
    spec = {"kind": "constant"}
    for _ in range(200):
        spec = {"kind": "chain", "parts": [spec]}
    with pytest.raises(PlanError, match="too many"):
        parse(spec)


def test_without_a_length_there_is_no_value():
    with pytest.raises(PlanError, match="how many steps"):
        parse({"kind": "cosine"}).value(10)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(sorted(KINDS)),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["kind", "parts", "base", "at", "end", "until", "warmup", "power", "gamma",
                         "cycles", "growth", "first", "factors", "decay_steps"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_gives_values_or_a_reason(spec):
    try:
        plan = parse(json.loads(json.dumps(spec)))
        value = plan.value(np.arange(5), 4)
    except PlanError:
        return
    assert value.shape == (5,)
