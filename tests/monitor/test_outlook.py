"""The chance of a run to reach its target: what is asked, what is refused and why, what is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.errors import UsageError
from trainlens.monitor.model import Chance
from trainlens.monitor.outlook import STOP, Target, chance, of_run, parse
from trainlens.run import Chunk, Column, Run

END, COUNT = 20_000, 100


def column(name, step, value):
    step = np.asarray(step, np.int64)
    nothing = np.full(len(step), np.nan)
    return Column(name, step, np.asarray(value, np.float64), nothing, nothing)


def cosine(step, end=END):
    return 1e-3 * (0.5 + 0.5 * np.cos(np.pi * np.asarray(step) / end))


def a_run(share, *, metric="val/mpjpe", rate=cosine, total=END, value=None, more=(), **config):
    """A run whose metric ends at 76: 75 + power law + what the rate costs, cut at a share."""
    rng = np.random.default_rng(0)
    step = np.arange(1, COUNT + 1) * (END // COUNT)
    y = 67 + 60 * (step / 500) ** -0.5 + 8e3 * cosine(step) + 0.5 * rng.standard_normal(COUNT)
    y = y if value is None else value(step)
    kept = step <= share * END
    columns = [column(metric, step[kept], y[kept])]
    if rate is not None:
        fine = np.arange(0, int(share * END) + 1, 50)
        columns.append(column("lr", fine, np.broadcast_to(rate(fine), fine.shape)))
    if total is not None:
        config["max_steps"] = total
    return Run("a", "a.jsonl", "jsonl").extend(Chunk(columns=(*columns, *more), config=config))


# --- what is asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("val/mpjpe < 80", Target("mpjpe", "val", 80.0, "--target", "min")),
        ("best(val/acc) > 0.9", Target("acc", "val", 0.9, "--target", "max")),
        ("val/mpjpe <= 80 mm", Target("mpjpe", "val", 80.0, "--target", "min", "mm")),
        ("min(val/loss) below 1.5", Target("loss", "val", 1.5, "--target", "min")),
    ],
)
def test_targets_as_people_write_them(text, target):
    assert parse(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "", "val/mpjpe", "val/mpjpe about 80", "val/mpjpe between 1 and 2", "std(val/mpjpe) < 3",
        "val/mpjpe < baseline", "val/mpjpe at 300 < 80", "val/mpjpe from 3 < 80", "80 < 90 < 3",
        "max(val/mpjpe) < 80", "min(val/acc) > 0.9", "gap/mpjpe < 3", "val/* < 3", "val/x == 3",
    ],
)  # fmt: skip
def test_anything_else_is_one_clear_line(text):
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert str(raised.value).startswith("--target ")
    assert "\n" not in str(raised.value)


def test_the_best_of_a_run_is_its_best_window():
    whole = a_run(1.0)
    value = whole["mpjpe", "val"].value
    windows = [float(np.median(value[i : i + 5])) for i in range(len(value) - 4)]
    assert of_run(whole) == Target("mpjpe", "val", min(windows), "the best of a", "min", "mm")


def test_the_best_of_a_run_whose_metric_is_better_high():
    whole = a_run(1.0, metric="val/accuracy", value=lambda step: step / END)
    found = of_run(whole)
    assert (found.direction, found.value) == ("max", pytest.approx(0.98))


def test_a_run_without_quality_is_no_baseline():
    with pytest.raises(UsageError, match="give the target by --target"):
        of_run(Run("empty", "e", "jsonl"))


# --- what is told ---------------------------------------------------------------------------


def asked(run, text="val/mpjpe < 77.5"):
    return chance(run, parse(text))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_the_true_end_is_inside_and_likely(share):
    found = asked(a_run(share))
    end = float(np.median(a_run(1.0)["mpjpe", "val"].value[-5:]))
    assert found.low < end < found.high
    assert found.advice == "go on"
    assert asked(a_run(share), "val/mpjpe < 85").probability > 0.5


def test_out_of_reach_is_a_stop_with_its_numbers():
    found = asked(a_run(0.7), "val/mpjpe < 40")
    assert found.advice == "stop"
    assert found.probability < STOP
    assert found.low > 40
    assert "after 70 % of the plan" in found.because
    assert "the target is 40" in found.because


def test_a_target_that_was_passed_is_reached_without_any_plan():
    found = asked(a_run(0.5, rate=None, total=None), "val/mpjpe < 120")
    assert (found.advice, found.probability) == ("reached", 1.0)


def test_a_single_lucky_evaluation_has_not_reached_it():
    run = a_run(0.5)
    lucky = run["mpjpe", "val"].value
    lucky[30] = 60.0
    found = asked(run, "val/mpjpe < 70")
    assert found.advice != "reached"


def test_at_the_planned_end_nothing_is_advised():
    found = asked(a_run(1.0), "val/mpjpe < 60")
    assert (found.advice, found.probability) == ("", 0.0)
    assert "at the planned end" in found.because


def test_a_falling_rate_is_said_to_help():
    assert "for the learning rate that is still to fall" in asked(a_run(0.5)).because


def test_better_high_is_better_low_mirrored():
    low = asked(a_run(0.5, metric="val/gain", value=_falling), "val/gain < -1.5")
    high = asked(a_run(0.5, metric="val/gain", value=lambda s: -_falling(s)), "val/gain > 1.5")
    assert high.probability == low.probability
    assert (high.low, high.high) == (-low.high, -low.low)
    assert high.expected == -low.expected


def _falling(step):
    noise = np.random.default_rng(1).standard_normal(len(step))
    return 1 + 3 * (step / 500) ** -0.5 + 0.02 * noise - 3


@given(st.sampled_from([1e-6, 0.01, 3.0, 1e9]))
@settings(max_examples=4, deadline=None)
def test_the_unit_of_a_metric_changes_nothing(factor):
    plain = asked(a_run(0.5, value=lambda s: _falling(s) + 4), "val/mpjpe < 2.2")
    scaled = chance(
        a_run(0.5, value=lambda s: factor * (_falling(s) + 4)),
        Target("mpjpe", "val", factor * 2.2, "--target", "min"),
    )
    assert scaled.probability == pytest.approx(plain.probability, abs=0.01)


# --- the learning rate ----------------------------------------------------------------------


def test_the_schedule_of_the_header_needs_no_logged_rate():
    plan = {"lr": {"kind": "cosine", "base": 1e-3, "total_steps": END}}
    written = asked(a_run(0.5, rate=None, total=None, schedules=plan))
    logged = asked(a_run(0.5))
    assert written.probability == pytest.approx(logged.probability, abs=0.1)
    assert written.expected == pytest.approx(logged.expected, rel=0.02)


def test_a_header_that_the_log_does_not_follow_is_not_believed():
    plan = {"lr": {"kind": "linear", "base": 1.0, "total_steps": 2 * END}}
    assert asked(a_run(0.5, schedules=plan)) == asked(a_run(0.5))


def test_a_factor_on_the_schedule_of_the_header_stays_as_it_is():
    plan = {"lr": {"kind": "cosine", "base": 2e-3, "total_steps": END, "times": "lr_factor"}}
    fine = np.arange(0, END // 2 + 1, 50)
    factor = column("lr_factor", fine, np.full(len(fine), 0.5))
    with_it = asked(a_run(0.5, more=[factor], schedules=plan))
    plain = {"lr": {"kind": "cosine", "base": 1e-3, "total_steps": END}}
    assert with_it == asked(a_run(0.5, schedules=plain))
    assert with_it != asked(a_run(0.5, schedules=plan))  # a header that is not followed


def test_the_horizon_of_a_cosine_is_a_plan():
    found = asked(a_run(0.5, total=None))
    assert found.probability == pytest.approx(asked(a_run(0.5)).probability, abs=0.1)


def test_a_constant_rate_may_still_fall():
    found = asked(a_run(0.5, rate=lambda step: 1e-3))
    assert found.advice == "go on"
    assert "whether the learning rate will fall is not known" in found.because


def test_evaluations_counted_in_epochs_are_placed_in_steps():
    run = a_run(0.5)
    steps = run["mpjpe", "val"]
    epochs = Run("b", "b", "jsonl").extend(
        Chunk(
            columns=(
                column("val/mpjpe", np.arange(1, len(steps) + 1), steps.value),
                column("lr", run["lr"].step, run["lr"].value),
            ),
            config={"max_steps": END},
        )
    )
    assert asked(epochs).expected == pytest.approx(asked(run).expected, rel=0.01)


# --- what cannot be known -------------------------------------------------------------------


def _diverged():
    run = a_run(0.5)
    run["mpjpe", "val"].value[-1] = np.nan
    return run


def _loss_gone():
    return a_run(0.5, more=(column("train/loss", [100, 200], [1.0, np.inf]),))


REFUSALS = {
    "no val/mpjpe in this log": lambda: a_run(0.5, metric="val/loss"),
    "val/mpjpe has no number there": lambda: a_run(0.5, value=lambda s: np.full(len(s), np.nan)),
    "5 evaluations so far, 8 are needed": lambda: a_run(0.05),
    "12 % of the plan is done, 15 % are needed": lambda: a_run(0.12),
    "when the run is planned to end": lambda: a_run(0.5, total=None, rate=lambda s: 1e-3),
    "the learning rate is not in this log": lambda: a_run(0.5, rate=None),
    "still in its warmup": lambda: a_run(0.5, rate=lambda s: 1e-7 * (s + 1.0)),
    "no schedule that could be carried on": lambda: a_run(
        0.5, rate=lambda s: np.random.default_rng(2).uniform(0.1, 1.0, len(s))
    ),
    "newest value of validation MPJPE is not finite": _diverged,
    "newest value of training loss is not finite": _loss_gone,
    "has not moved at all": lambda: a_run(0.5, value=lambda s: np.full(len(s), 100.0)),
    "have left the course": lambda: a_run(
        0.5, value=lambda s: _falling(s) + 100 + 50 * (s >= 0.47 * END)
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_cannot_be_known_says_why(reason):
    found = asked(REFUSALS[reason]())
    assert reason in found.because
    assert found.because.startswith("Cannot be known: ")
    assert (found.probability, found.expected, found.low, found.high) == (None,) * 4
    assert found.advice == ""


def test_a_target_on_the_wrong_side_is_refused():
    assert "is better low" in asked(a_run(0.5), "val/mpjpe > 80").because


def test_another_unit_is_refused():
    assert "is in mm, the expectation in cm" in asked(a_run(0.5), "val/mpjpe < 8 cm").because


# --- any log --------------------------------------------------------------------------------

_VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=60)


@given(_VALUES, _VALUES, st.sampled_from([None, 10, 60, 1000]), st.floats(-1e300, 1e300))
@settings(max_examples=150, deadline=None)
def test_any_log_gets_an_answer(values, rates, total, target):
    columns = (
        column("val/mpjpe", np.arange(1, len(values) + 1), values),
        column("lr", np.arange(len(rates)), rates),
    )
    config = {"max_steps": total} if total else {}
    run = Run("a", "a", "jsonl").extend(Chunk(columns=columns, config=config))
    found = chance(run, Target("mpjpe", "val", target, "--target", "min"))
    assert isinstance(found, Chance)
    assert found.because
    assert found.probability is None or 0 <= found.probability <= 1


def test_a_million_points_are_judged_as_their_blocks():
    n = 1_000_000
    step = np.arange(1, n + 1)
    rng = np.random.default_rng(3)
    value = 2 + 3 * (step / 1e4) ** -0.5 + 0.1 * rng.standard_normal(n)
    columns = (column("train/loss", step, value), column("lr", step, cosine(step, 2 * n)))
    run = Run("a", "a", "jsonl").extend(Chunk(columns=columns, config={"max_steps": 2 * n}))
    found = asked(run, "train/loss < 2.28")
    assert found.low < 2 + 3 * 200**-0.5 < found.high
