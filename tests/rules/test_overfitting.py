"""``overfitting``: certain where validation gets worse, silent where it flattens or wobbles."""

import json
from pathlib import Path

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Severity, Status
from trainlens.rules.overfitting import overfitting
from trainlens.rules.seed import overfitting as seed
from trainlens.stats.gains import t_quantile
from trainlens.stats.rise import rise

REAL = Path(__file__).parents[2].parent / "shared" / "real_logs"


def only(run, **settings):
    (finding,) = overfitting(run, **settings)
    return finding


def turned(n=40, deep=0.2, sigma=0.005, seed=0):
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, n)
    curve = np.where(t < 0.4, 1 - t, 0.6 * (1 + deep * (t - 0.4) / 0.6))
    return curve * np.exp(rng.normal(0, sigma, n))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_turn_is_found(scale):
    found = only(a_run(val_loss=scale * turned()))
    assert found.status is Status.FAIL
    assert found.evidence["best_step"] == pytest.approx(17, abs=3)
    assert "Do not use the last checkpoint" in found.message


def test_severity_grows_with_the_damage():
    assert only(a_run(val_loss=turned(deep=0.15))).severity is None  # the rule's own: warning
    assert only(a_run(val_loss=turned(deep=0.5))).severity is Severity.ERROR


def test_what_came_with_one_evaluation_is_a_jump():
    loss = np.r_[np.linspace(1, 0.6, 9), np.full(15, 1.1)]
    assert "this is a jump" in only(a_run(val_loss=loss)).message
    bbox = np.r_[np.linspace(0, 0.2945, 8), np.zeros(16)]
    found = only(a_run(val_mAP=bbox))
    assert found.status is Status.INCONCLUSIVE


@pytest.mark.parametrize("n", [9, 14, 40])
def test_a_fast_rise_that_levels_off_is_overfitting(n):
    t = np.arange(n) / n
    curve = np.where(t < 0.25, 1 - 2 * t, 0.5 + 0.5 * (1 - np.exp(-(t - 0.25) / 0.15)))
    assert only(a_run(val_loss=curve)).failed


def test_five_rising_evaluations():
    val = (np.arange(1000, 5001, 1000), np.array([0.3210, 0.3585, 0.3937, 0.4123, 0.4200]))
    train = (np.arange(25, 5001, 25), 0.3 * np.exp(-np.arange(200) / 25))
    found = only(a_run(val_loss=val, loss=train))
    assert found.status is Status.FAIL
    assert found.severity is Severity.ERROR
    assert found.evidence["best_step"] == 1000
    assert "fell on" in found.message


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real logs is not there")
def test_the_real_whisper_run():
    (path,) = REAL.glob("hf_trainer_state/P4P4N1CK*/trainer_state.json")
    rows = [r for r in json.loads(path.read_text())["log_history"] if "eval_loss" in r]
    steps = [r["step"] for r in rows]
    found = only(a_run(val_loss=(steps, [r["eval_loss"] for r in rows])))
    assert found.status is Status.FAIL
    assert found.evidence["best_step"] == 1000
    assert not only(a_run(val_wer=(steps, [r["eval_wer"] for r in rows]))).failed


def test_four_evaluations_that_jumped_and_stayed():
    assert only(a_run(val_loss=[7.523, 8.141, 8.093, 8.142])).status is Status.FAIL


@pytest.mark.parametrize("seed", range(20))
def test_healthy_validation_is_left_alone(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 80))
    t = np.arange(1, n + 1)
    flat = (0.4 + t**-0.8) * np.exp(rng.normal(0, rng.uniform(0.001, 0.1), n))
    assert not only(a_run(val_loss=flat)).failed


def test_a_metric_knows_its_direction():
    accuracy = np.concatenate([np.linspace(0.5, 0.9, 20), np.linspace(0.9, 0.7, 20)])
    assert only(a_run(val_accuracy=accuracy)).status is Status.FAIL
    assert only(a_run(val_accuracy=np.linspace(0.5, 0.9, 40))).status is Status.PASS
    found = only(
        a_run(val_mpjpe=np.concatenate([np.linspace(90, 68.4, 11), np.linspace(69, 79.9, 15)]))
    )
    assert "68.4 → 79.9" in found.message
    assert "mm" in found.message


def test_one_finding_for_each_validation_series():
    run = a_run(val_loss=turned(), val_accuracy=np.linspace(0.5, 0.9, 40), loss=turned())
    assert [(f.metric, f.status) for f in overfitting(run)][1] == ("accuracy", Status.PASS)


def test_training_that_rises_too_is_no_overfitting():
    run = a_run(val_loss=turned(deep=0.5), loss=turned(deep=0.6))
    found = only(run)
    assert found.status is Status.INCONCLUSIVE
    assert "no overfitting" in found.message


def test_a_rise_within_noise_is_said_to_be_unsure():
    rng = np.random.default_rng(3)
    found = only(a_run(val_loss=np.exp(rng.normal(0, 1.0, 12))))
    assert found.status is Status.INCONCLUSIVE


def test_too_few_and_none():
    assert only(a_run(val_loss=[1.0, 2.0])).status is Status.INCONCLUSIVE
    assert only(a_run(loss=turned())).status is Status.SKIP


def test_the_seed_profile_is_a_gap_in_millimetres():
    val, train = np.array([105.0, 80.0, 70.0]), np.array([47.5, 46.7, 50.0])
    (found,) = seed.overfitting(a_run(val_mpjpe=val, train_mpjpe=train))
    assert found.failed
    assert found.evidence["largest_gap"] == pytest.approx(57.5)
    (found,) = seed.overfitting(a_run(val_mpjpe=val / 10, train_mpjpe=train / 10))
    assert not found.failed, "the threshold has a unit"
    (found,) = seed.overfitting(a_run(val_mpjpe=val))
    assert found.status is Status.SKIP


def test_a_steep_climb_at_the_end_of_few_evaluations():
    """Ten evaluations whose last three climb to twelve times the best."""
    value = [0.118, 0.0735, 0.0223, 0.049, 0.0241, 0.0324, 0.0248, 0.1206, 0.2185, 0.2759]
    found = only(a_run(val_loss=(np.arange(10) * 20227, np.array(value))))
    assert found.failed
    assert found.evidence["best_step"] == 2 * 20227


def test_few_noisy_evaluations_are_seldom_called_overfitting():
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(300):
        value = 0.05 * np.exp(rng.normal(0, 0.3, 10))
        found = only(a_run(val_loss=(np.arange(10) * 100, value)))
        alarms += found.failed
    assert alarms <= 6


def test_a_cliff_early_on_does_not_hide_a_later_rise():
    rng = np.random.default_rng(1)
    level = np.r_[np.full(14, 0.45), 0.45 * np.exp(-np.arange(30) / 5), np.linspace(0, 0.3, 30)]
    found = only(a_run(val_loss=np.exp(level + 0.01 * rng.standard_normal(74))))
    assert (found.status, found.severity) == ("fail", "error")


def test_a_share_of_right_answers_that_fell_by_a_few_samples_is_not_judged_worse():
    right = np.r_[82, 126, 116, 101, 122, 123, 122, 123, np.full(100, 126), np.full(40, 119)]
    found = only(a_run(val_accuracy=right / 300))
    assert found.status != "fail"


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_with_a_memory_rises_as_often_as_it_is_meant_to(rho):
    rng = np.random.default_rng(8)
    shocks = rng.standard_normal((300, 300))
    y = np.empty((300, 300))
    y[:, 0] = shocks[:, 0]
    for i in range(1, 300):
        y[:, i] = rho * y[:, i - 1] + np.sqrt(1 - rho**2) * shocks[:, i]
    found = [rise(0.03 * row[180:], 1.645) for row in y]
    rate = np.mean([f.value > t_quantile(1.645, f.dof) * f.error for f in found])
    assert 0.01 < rate < 0.1
