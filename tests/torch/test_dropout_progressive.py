"""Rates as a function of the step or of progress, and the plan that a log is checked against."""

import json
import math

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402 - after the skip
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

import trainlens  # noqa: E402
from trainlens import schema  # noqa: E402
from trainlens.stats.planned import parse  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.dropout import (  # noqa: E402
    ProgressiveDropout,
    prepare_dropout,
    progressive_dropout,
)
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.base import Schedule  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.schedules.linear_warmup import LinearWarmup  # noqa: E402

TOTAL = 400


def made(**given):
    return ProgressiveDropout(nn.Dropout(0.5), **given)


PLANS = {
    "jump": {"start_step": 100},
    "from the start": {"start_step": 0},
    "ramp": {"start_step": 100, "ramp_steps": 50},
    "ramp from the start": {"start_step": 0, "ramp_steps": 300},
    "places": {"start_step": "0.25dur", "ramp_steps": "1ep"},
    "beyond the end": {"start_step": 1000, "ramp_steps": 50},
    "half of a ramp": {"start_step": 300, "ramp_steps": 200},
    "cosine": {"schedule": Cosine(end=0.1)},
    "warmup": {"schedule": LinearWarmup("80ba")},
}
every_plan = pytest.mark.parametrize("given", PLANS.values(), ids=list(PLANS))


def test_the_seeds_function():
    # get_progressive_dropout(step, total_steps, warmup_steps=10000, target_dropout=0.1)
    assert [progressive_dropout(s) for s in (0, 9_999, 10_000, 99_999)] == [0, 0, 0.1, 0.1]
    assert progressive_dropout(150, 100, 0.4, 100) == 0.2
    for bad in ({"step": -1}, {"step": math.nan}, {"step": 1, "ramp_steps": -1}):
        with pytest.raises(ValueError, match="must be 0 or more"):
            progressive_dropout(**bad)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        progressive_dropout(1, target=2)


def test_a_ramp_is_a_line():
    ramp = made(target=0.2, start_step=100, ramp_steps=100)
    rates = [ramp.rate(s) for s in (0, 100, 125, 150, 200, 10**9)]
    assert rates == pytest.approx([0, 0, 0.05, 0.1, 0.2, 0.2])
    assert rates == [progressive_dropout(s, 100, 0.2, 100) for s in (0, 100, 125, 150, 200, 10**9)]


@every_plan
def test_a_step_and_its_share_are_the_same_rate_to_the_bit(given):
    clock = Clock(TOTAL, updates_per_epoch=40)
    dropout = made(**given, total=clock)
    for step in range(TOTAL):
        assert dropout.apply(step) == dropout.rate(step / TOTAL) == dropout.module.p
        assert dropout.rate(clock.progress) == dropout.module.p
        clock.tick()


@pytest.mark.parametrize("total", [TOTAL, "400ba", "10ep"])
def test_totals_in_updates_and_epochs(total):
    clock = Clock(total, updates_per_epoch=40)
    dropout = made(start_step=123, total=clock)
    for step in range(TOTAL):
        assert dropout.rate(clock.progress) == dropout.rate(step) == (0.1 if step >= 123 else 0.0)
        clock.tick()


@every_plan
def test_the_plan_is_what_trainlens_computes(given):
    dropout = made(target=0.3, **given, total=Clock(TOTAL, updates_per_epoch=40))
    spec = json.loads(json.dumps(dropout.plan()))["dropout_rate"]
    steps = np.arange(TOTAL + 1)
    planned = parse(spec).value(steps)
    rates = [dropout.rate(int(s)) for s in steps]
    np.testing.assert_allclose(rates, planned, rtol=0, atol=1e-12)


def test_the_default_plan():
    assert made().spec() == {
        "kind": "piecewise",
        "at_steps": [10_000],
        "factors": [0.0, 1.0],
        "base": 0.1,
    }
    assert made(start_step=0).plan() == {"dropout_rate": {"kind": "constant", "base": 0.1}}
    assert parse(made().spec()).value([9_999, 10_000], 100_000).tolist() == [0.0, 0.1]
    with pytest.raises(ValueError, match="give total="):
        made(start_step="3ep").spec()


@pytest.mark.parametrize(("wrong", "status"), [(0.0, "pass"), (0.02, "fail")])
def test_the_rule_of_trainlens_on_a_log(tmp_path, wrong, status):
    dropout = made(start_step=100, ramp_steps=200, total=TOTAL)
    lines = [schema.header_line("a", 1.7e9, schedules=dropout.plan())]
    for step in range(0, TOTAL, 10):
        dropout.apply(step)
        rate = dropout.logged()["dropout_rate"] + wrong * (step >= 200)
        lines.append(schema.record_line(step, 1.7e9 + step, {"loss": 1.0}, {"dropout_rate": rate}))
    log = tmp_path / "run.jsonl"
    log.write_bytes(b"".join(lines))
    (found,) = (
        f
        for f in trainlens.diagnose(trainlens.load_one(log)).results
        if f.rule == "plan-deviation" and f.metric == "dropout_rate"
    )
    assert found.status == status
    assert status == "pass" or found.first_step == 200


@given(st.lists(st.integers(0, TOTAL), max_size=8), st.integers(0, TOTAL))
def test_a_rate_is_the_same_whatever_came_before(visited, step):
    used, fresh = (made(start_step=50, ramp_steps=200, total=TOTAL) for _ in range(2))
    prepare_dropout(used.module)
    for one in visited:
        used.apply(one)
    used.module.p = 0.9
    assert used.apply(step) == fresh.apply(step) == used.apply(step) == used.module.p
    assert used.module.keep_from.item() == pytest.approx(used.module.p, abs=1e-8)
    assert used.logged() == {"dropout_rate": used.module.p}


def test_without_a_total_a_share_needs_places_in_shares():
    with pytest.raises(ValueError, match=r"0.5 of the training cannot be told .* give total="):
        made().apply(0.5)
    with pytest.raises(ValueError, match=r"step 5 cannot be told .* give total="):
        made(schedule=Cosine()).apply(5)
    with pytest.raises(ValueError, match="step 5 cannot be told"):
        made(start_step="0.5dur").apply(5)
    assert made(start_step="0.5dur").rate(0.5) == 0.1
    assert made(schedule=Cosine()).rate(0.5) == pytest.approx(0.05)
    assert made(start_step=0).rate(0.5) == 0.1


@pytest.mark.parametrize(
    ("at", "error"),
    [
        (-1, ValueError),
        (-0.1, ValueError),
        (1.1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (True, TypeError),
        ("5", TypeError),
        (None, TypeError),
    ],
)
@pytest.mark.parametrize("total", [None, 100])
def test_what_is_no_place_changes_nothing(at, error, total):
    dropout = made(start_step=0, total=total)
    with pytest.raises(error):
        dropout.apply(at)
    assert dropout.module.p == 0.5
    assert dropout.logged() == {}


def test_a_schedule_that_leaves_the_range_changes_nothing():
    class Steep(Schedule):
        def factor(self, p):
            return 20 * p

    dropout = made(schedule=Steep())
    assert dropout.apply(0.25) == 0.5
    with pytest.raises(ValueError, match=r"gives a dropout rate of 2.0 at 1.0"):
        dropout.apply(1.0)
    assert dropout.module.p == 0.5


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"ramp_steps": -1}, ValueError, "ramp_steps"),
        ({"ramp_steps": 0.5}, TypeError, "ramp_steps"),
        ({"start_step": "soon"}, ValueError, "'soon'"),
        ({"start_step": "1e6sp", "total": 100}, ValueError, "optimizer updates"),
        ({"total": 0}, ValueError, "above 0"),
        ({"total": 0.5}, ValueError, "length"),
        ({"schedule": lambda p: p}, TypeError, "schedule must be"),
        ({"schedule": Cosine(), "ramp_steps": 5}, ValueError, "either a schedule"),
        ({"schedule": Cosine(), "start_step": 5}, ValueError, "either a schedule"),
    ],
)
def test_what_cannot_be_planned(given, error, message):
    with pytest.raises(error, match=message):
        made(**given)


def test_another_clock_that_cannot_tell_changes_nothing():
    dropout = made(start_step=100, total=400)
    with pytest.raises(ValueError, match="100ba"):
        dropout.resolve(Clock("1e9tok"))
    assert dropout.rate(0.25) == 0.1
    dropout.resolve(Clock(200))
    assert (dropout.rate(0.25), dropout.rate(0.5)) == (0.0, 0.1)


def test_as_a_part_of_the_scheduler():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    clock = Clock(TOTAL)
    dropout = made(start_step=100, ramp_steps=100, total=clock)
    scheduler = Scheduler(optimizer, clock, lr=Cosine(), parts=[dropout])
    assert scheduler.header()["dropout_rate"] == dropout.spec()
    for step in range(TOTAL):
        scheduler.apply()
        expected = progressive_dropout(step, 100, 0.1, 100)
        assert scheduler.logged()["dropout_rate"] == pytest.approx(expected, abs=1e-15)
        optimizer.step()
        clock.tick()
    told = made(start_step=100)
    Scheduler(optimizer, Clock(TOTAL), parts=[told]).apply(0.25)
    assert told.module.p == 0.1, "the scheduler tells it the clock"
    state = scheduler.state_dict()
    other = Scheduler(optimizer, Clock(TOTAL), lr=Cosine(), parts=[made(total=TOTAL)])
    with pytest.raises(ValueError, match=r"start_step was '100ba', is '10000ba'"):
        other.load_state_dict(state)


def test_what_it_says_of_itself():
    assert repr(made()) == "ProgressiveDropout(0.1 from 10000ba, ramp 0ba)"
    assert "Cosine" in repr(made(schedule=Cosine()))
    assert made(schedule=Cosine(0.1)).config() != made(schedule=Cosine(0.2)).config()
