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
