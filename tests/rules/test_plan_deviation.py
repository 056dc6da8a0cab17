"""``plan-deviation``: the first step at which a log leaves the plan in its header."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rule_runs import a_run

import trainlens
from trainlens import schema
from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.rules.plan_deviation import plan_deviation

N = 1000
T = np.arange(N)
SPEC = {"kind": "chain", "base": 3e-4, "parts": [
    {"kind": "linear-warmup", "until_steps": 100}, {"kind": "cosine", "end": 0.01}]}  # fmt: skip
PLAN = 3e-4 * np.where(
    T < 100, T / 100, 0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * (T - 100) / 900))
)


def planned(schedules, **series):
    return replace(a_run(**series), config={"schedules": schedules})


def only(run, **settings):
    (finding,) = all_rules()["plan-deviation"](run, settings)
    return finding


def test_a_log_on_its_plan_passes():
    found = only(planned({"total_steps": N, "lr": SPEC}, lr=(T, PLAN)))
    assert found.status is Status.PASS
    assert "follows its plan" in found.message


@pytest.mark.parametrize("form", ["%.4e", "%.2e", "%.6f"])
@pytest.mark.parametrize("first", [0, 1])
def test_rounding_and_counting_from_one_are_none(form, first):
    value = np.array([float(form % v) for v in PLAN])
    found = only(planned({"total_steps": N, "lr": SPEC}, lr=(T + first, value)))
    assert found.status is Status.PASS


@pytest.mark.parametrize("at", [50, 420, 900])
def test_the_first_step_is_exact(at):
    value = np.where(at > T, PLAN, 0.5 * PLAN)
    found = only(planned({"total_steps": N, "lr": SPEC}, lr=(T, value)))
    assert found.status is Status.FAIL
    assert found.severity is Severity.WARNING or at == 900
    assert found.first_step == at
    assert found.evidence["planned"] == pytest.approx(PLAN[at])
    assert found.evidence["logged"] == pytest.approx(0.5 * PLAN[at])
    assert "0.5 times the plan" in found.message


def test_another_number_of_steps_is_seen():
    other = 3e-4 * np.where(
        T < 100, T / 100, 0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * (T - 100) / 500))
    )
    found = only(planned({"lr": SPEC | {"total_steps": N}}, lr=(T, other)))
    assert found.status is Status.FAIL
    assert 100 <= found.first_step <= 130


def test_any_field_and_the_total_of_the_configuration():
    spec = {"kind": "ramp", "base": 0.3}
    dropout = 0.3 * np.clip((T - 100) / 100, 0, 1)
    run = planned({"dropout": spec}, dropout=(T, dropout))
    assert only(run).status is Status.INCONCLUSIVE
    run = replace(run, config=run.config | {"max_steps": N})
    assert only(run).status is Status.PASS
    wrong = replace(planned({"dropout": spec}, dropout=(T, np.where(T < 600, dropout, 0.1))))
    found = only(replace(wrong, config=run.config))
    assert (found.metric, found.first_step) == ("dropout", 600)


def test_groups_are_multiples_of_the_field():
    spec = SPEC | {"total_steps": N, "ratios": {"clip": 0.1}}
    run = planned({"lr": spec}, **{"lr/clip": (T, 0.1 * PLAN), "lr/head": (T, 2 * PLAN)})
    assert [f.status for f in plan_deviation(run)] == [Status.PASS, Status.PASS]
    run = planned({"lr": spec}, **{"lr/clip": (T, 0.2 * PLAN)})
    assert only(run).status is Status.FAIL


TIMES = np.where(T < 250, 1.0, np.where(T < 600, 1.5, 1.05))
TIMED = SPEC | {"total_steps": N, "times": "lr_factor"}


def test_a_logged_factor_multiplies_the_plan():
    series = {"lr": (T, PLAN * TIMES), "lr/clip": (T, 0.1 * PLAN * TIMES)}
    factor = ([250, 600], [1.5, 1.05])  # at the updates at which it changes, before them none
    found = list(plan_deviation(planned({"lr": TIMED}, **series, lr_factor=factor)))
    assert [(f.metric, f.status, f.evidence["points_off"]) for f in found] == [
        ("lr", Status.PASS, 0),
        ("lr/clip", Status.PASS, 0),
    ]


@pytest.mark.parametrize("at", [100, 249, 250, 251, 420, 600])
@pytest.mark.parametrize("form", ["%.17g", "%.4e"])
def test_the_first_step_is_exact_beside_a_factor(at, form):
    value = PLAN * np.where(at > T, TIMES, 0.5 * TIMES)
    value = np.array([float(form % v) for v in value])
    found = only(planned({"lr": TIMED}, lr=(T, value), lr_factor=(T, TIMES)))
    assert (found.status, found.first_step) == (Status.FAIL, at)
    assert found.evidence["planned"] == pytest.approx(PLAN[at] * TIMES[at], rel=1e-4)
    assert "0.5 times the plan" in found.message


def test_a_rate_that_does_not_heed_its_factor_leaves_the_plan():
    found = only(planned({"lr": TIMED}, lr=(T, PLAN), lr_factor=(T, TIMES)))
    assert (found.status, found.first_step) == (Status.FAIL, 250)


def test_a_factor_that_is_not_logged():
    found = only(planned({"lr": TIMED}, lr=(T, PLAN)))
    assert found.status is Status.PASS
    assert "Compared without it: lr_factor, which multiplies the plan, is not in" in found.message
    found = only(planned({"lr": TIMED}, lr=(T, PLAN * TIMES)))
    assert found.status is Status.INCONCLUSIVE
    assert "lr leaves its plan at step 250, but lr_factor" in found.message
    nothing = planned({"lr": TIMED}, lr=(T, PLAN * TIMES), lr_factor=(T, np.full(N, np.nan)))
    assert only(nothing).status is Status.INCONCLUSIVE


def test_a_factor_that_is_not_finite_keeps_its_last_value():
    factor = TIMES.copy()
    factor[300:400] = np.nan
    factor[400:410] = np.inf
    found = only(planned({"lr": TIMED}, lr=(T, PLAN * TIMES), lr_factor=(T, factor)))
    assert found.status is Status.PASS


def test_a_factor_beyond_all_bounds_is_no_crash():
    huge = TIMED | {"base": 1e200}
    run = planned({"lr": huge}, lr=(T, 1e200 * PLAN), lr_factor=(T, np.full(N, 1e200)))
    found = only(run)
    assert found.status is Status.INCONCLUSIVE
    assert "not finite" in found.message
    none = planned({"lr": TIMED}, lr=(T, 0.0 * PLAN), lr_factor=(T, np.zeros(N)))
    assert only(none).status is Status.PASS


def test_what_has_a_plan_of_its_own_is_no_group_of_another():
    plans = {"total_steps": N, "clip": {"kind": "constant"}, "clip_weight": {"kind": "linear"}}
    run = planned(plans, clip=(T, np.ones(N)), clip_weight=(T, 1 - T / N))
    assert [(f.metric, f.status) for f in plan_deviation(run)] == [
        ("clip", Status.PASS),
        ("clip_weight", Status.PASS),
    ]
    plans = {"total_steps": N, "lr/a": {"kind": "constant"}, "lr/b": {"kind": "linear"}}
    run = planned(plans, **{"lr/b": (T, 1 - T / N)})
    assert [f.status for f in plan_deviation(run)] == [Status.SKIP, Status.PASS]


def test_the_length_of_the_training_stands_in_any_of_the_plans():
    lr = SPEC | {"total_steps": N}
    run = planned({"lr": lr, "gate": {"kind": "linear"}}, lr=(T, PLAN), gate=(T, 1 - T / N))
    assert [f.status for f in plan_deviation(run)] == [Status.PASS, Status.PASS]
    for odd in (10**400, "x", True, None, [], float("nan"), -5):
        run = planned({"lr": SPEC, "total_steps": odd}, lr=(T, PLAN))
        assert only(run).status is Status.INCONCLUSIVE


def test_a_plan_that_cannot_be_read_is_no_crash():
    found = only(planned({"lr": {"kind": "magic"}}, lr=(T, PLAN)))
    assert found.status is Status.INCONCLUSIVE
    assert "unknown kind 'magic'" in found.message
    assert only(planned({"lr": SPEC}, loss=(T, PLAN))).status is Status.SKIP
    assert only(planned("odd", lr=(T, PLAN))).status is Status.SKIP
    assert only(planned({}, lr=(T, PLAN))).status is Status.SKIP


def test_single_points_are_no_deviation():
    value = PLAN.copy()
    value[[300, 500]] = 0.0
    found = only(planned({"total_steps": N, "lr": SPEC}, lr=(T, value)))
    assert found.status is Status.PASS
    assert "but at 2 points" in found.message


def test_from_the_header_of_a_native_log(tmp_path):
    value = np.where(T < 420, PLAN, 0.7 * PLAN)
    lines = [schema.header_line("a", 1.7e9, {"max_steps": N}, {"lr": SPEC})]
    lines += [schema.record_line(int(t), 1.7e9 + t, {"total_loss": 1.0}, {"lr": float(v)})
              for t, v in zip(T, value, strict=True)]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines))
    assert json.loads(lines[0])["schedules"]["lr"]["kind"] == "chain"
    (run,) = trainlens.load(path)
    found = only(run)
    assert found.first_step == 420
