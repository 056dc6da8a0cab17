"""``premature-lr-decay``: a schedule that ends early, or a drop that stops the learning."""

from dataclasses import replace

import numpy as np
import pytest
from rule_runs import a_run

from benchmarks.diagnosis import schedules
from trainlens.prescribe import prescribe
from trainlens.rules import Diagnosis, all_rules
from trainlens.rules.base import Severity, Status
from trainlens.rules.premature_lr_decay import premature_lr_decay

N = 2000
T = np.arange(N)


def only(run, **settings):
    (finding,) = premature_lr_decay(run, **settings)
    return finding


def learned(lr, seed=0, sigma=0.01):
    spent = np.cumsum(lr) / np.max(lr)
    rng = np.random.default_rng(seed)
    return (0.2 + (1 + spent / 20) ** -0.5) * np.exp(sigma * rng.standard_normal(len(lr)))


def cosine(horizon, end=0.0):
    return end + (1 - end) * (0.5 + 0.5 * np.cos(np.pi * np.clip(T / horizon, 0, 1)))


@pytest.mark.parametrize("horizon", [400, 800, 1100])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_a_horizon_that_is_too_short(horizon, scale):
    lr = cosine(horizon, 0.01)
    found = only(a_run(lr=(T, scale * lr), loss=(T, learned(lr))))
    assert found.status is Status.FAIL
    assert found.evidence["place"] == pytest.approx(0.8 * horizon / N, abs=0.03)
    assert f"ends at step {horizon:,}".replace(",", "\u202f") in found.message


def test_without_a_loss_the_horizon_alone_tells():
    assert only(a_run(lr=(T, cosine(600)))).severity is None or Severity.WARNING


def test_a_drop_while_the_loss_was_falling():
    lr = np.where(T < 700, 1e-3, 1e-5)
    found = only(a_run(lr=(T, lr), loss=(T, learned(lr))))
    assert found.status is Status.FAIL
    assert "still falling then" in found.message
    assert found.first_step == 700


@pytest.mark.parametrize("n", [130, 300, 700])
def test_few_noisy_points_that_are_flat_since(n):
    rng = np.random.default_rng(n)
    t = np.arange(n) / n
    loss = (0.5 + 0.5 * np.exp(-15 * np.minimum(t, 0.2))) * np.exp(rng.normal(0, 0.07, n))
    run = a_run(lr=np.where(t < 0.2, 1e-3, 1e-5), loss=loss)
    assert only(run).status is Status.FAIL
    going = (0.5 + 0.5 * np.exp(-15 * np.minimum(t, 0.2))) * np.exp(rng.normal(0, 0.02, n) - t)
    assert (
        only(a_run(lr=np.where(t < 0.2, 1e-3, 1e-5), loss=going)).severity is not Severity.WARNING
    )


def test_a_late_step_may_be_a_plan():
    lr = np.where(T < 900, 1e-3, 1e-5)
    found = only(a_run(lr=(T, lr), loss=(T, learned(lr))))
    assert (found.status, found.severity) == (Status.FAIL, Severity.INFO)


PLAN = {"lr": {"kind": "constant", "base": 1e-4, "times": "lr_factor"}}


@pytest.mark.parametrize(("each", "severity"), [(100, "warning"), (260, "info")])
def test_a_rate_that_is_halved_on_a_loss_that_never_fell(each, severity):
    lr = 1e-4 * 0.5 ** np.minimum(T // each, 7)
    loss = 0.25 * np.exp(0.05 * np.random.default_rng(3).standard_normal(N))
    run = a_run(lr=(T, lr), loss=(T, loss))
    found = only(run)
    assert (found.status, found.severity.value) == (Status.FAIL, severity)
    assert "lowered before the loss had fallen at all" in found.message
    # What follows the loss is no plan, however late.
    found = only(replace(run, config={"schedules": PLAN}))
    assert (found.status, found.severity.value) == (Status.FAIL, "warning")


@pytest.mark.parametrize("seed", range(20))
def test_of_a_loss_that_never_fell_no_fall_is_told(seed):
    lr = 1e-4 * 0.5 ** np.minimum(T[:150] // 13, 7)
    loss = 0.25 * np.exp(0.05 * np.random.default_rng(seed).standard_normal(150))
    assert "falling then" not in only(a_run(lr=lr, loss=loss)).message


def test_the_remedy_of_a_plateau_schedule_is_patience_alone():
    lr = 1e-4 * 0.5 ** np.minimum(T // 100, 7)
    loss = 0.25 * np.exp(0.05 * np.random.default_rng(3).standard_normal(N))
    run = replace(a_run(lr=(T, lr), loss=(T, loss)), config={"schedules": PLAN})
    finding = all_rules()["premature-lr-decay"](run)[0]
    found = prescribe(Diagnosis(run, (finding,))).results[0]
    patches = [p["patch"] for p in found.prescriptions]
    assert patches == [{"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6}]
    assert "too little patience" in found.causes[0]


def test_a_drop_after_the_loss_had_settled():
    lr = np.where(T < 1000, 1e-3, 1e-5)
    rng = np.random.default_rng(1)
    loss = (1 + np.exp(-T / 60)) * np.exp(0.01 * rng.standard_normal(N))
    assert only(a_run(lr=(T, lr), loss=(T, loss))).status is Status.PASS


@pytest.mark.parametrize("family", [f for f in schedules.MAKERS if f != "step"])
def test_whole_schedules_are_none(family):
    rng = np.random.default_rng([6, *family.encode()])
    for _ in range(10):
        step, lr = schedules.draw(family, rng)
        run = a_run(lr=(step, lr), loss=(step, learned(lr / lr.max())))
        assert only(run).status is not Status.FAIL


def test_the_planned_steps_count_and_not_the_log():
    lr = cosine(1000)
    run = a_run(lr=(T[:1300], lr[:1300]), loss=(T[:1300], learned(lr[:1300])))
    assert only(run).status is Status.PASS
    found = only(replace(run, config={"trainer": {"max_steps": "2000"}}))
    assert found.status is Status.FAIL
    assert "planned steps" in found.message


def test_a_run_that_has_only_just_decayed_waits():
    lr = cosine(1000)[:850]
    run = replace(a_run(lr=(T[:850], lr)), config={"max_steps": 2000})
    assert only(run).status is Status.INCONCLUSIVE


def test_a_single_wrong_value_is_no_peak():
    lr = np.full(N, 1e-3)
    lr[100] = 1.0
    assert only(a_run(lr=(T, lr))).status is Status.PASS


def test_the_remedy_has_the_planned_steps():
    lr = cosine(600, 0.01)
    run = replace(a_run(lr=(T, lr), loss=(T, learned(lr))), config={"max_steps": 2500})
    finding = all_rules()["premature-lr-decay"](run)[0]
    found = prescribe(Diagnosis(run, (finding,))).results[0]
    patches = [p["patch"] for p in found.prescriptions]
    assert {"scheduler.total_steps": 2500} in patches
    assert {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6} in patches


def test_what_is_missing_is_said():
    assert only(a_run(loss=np.ones(20))).status is Status.SKIP
    assert only(a_run(lr=np.ones(5))).status is Status.INCONCLUSIVE
