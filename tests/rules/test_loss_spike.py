"""Rule loss-spike, of both profiles."""

import numpy as np
import pytest
from rule_runs import a_run

from benchmarks.diagnosis.curves import NOISES, healthy
from trainlens.rules import all_rules


def judge(run, profile="default"):
    return all_rules(profile)["loss-spike"](run)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", NOISES)
def test_a_spike_is_found_and_a_healthy_run_is_not(kind, scale):
    rng = np.random.default_rng(3)
    value = healthy(1500, rng, kind=kind, sigma=0.04, scale=scale)
    (calm,) = judge(a_run(loss=value))
    assert calm.status == "pass"
    value[700:708] *= 2.2
    (found,) = judge(a_run(loss=value))
    assert (found.status, found.severity) == ("fail", "warning")
    assert abs(found.first_step - 701) <= 2
    assert found.evidence["recovered_step"] == pytest.approx(709, abs=2)
    assert 1.8 < found.evidence["ratio"] < 2.8


def test_rises_of_every_epoch_are_a_habit():
    rng = np.random.default_rng(0)
    value = healthy(1600, rng, sigma=0.01)
    for start in range(200, 1600, 200):
        value[start : start + 10] *= 1.3
    (found,) = judge(a_run(loss=value))
    assert found.severity == "info"
    assert found.evidence["period"] == pytest.approx(200, abs=5)


def test_a_restart_of_the_learning_rate_explains_a_rise_and_a_new_high_does_not():
    rng = np.random.default_rng(0)
    phase = (np.arange(1000) % 500) / 500
    rate = 0.5 + 0.5 * np.cos(np.pi * phase) + 1e-3
    value = healthy(1000, rng, sigma=0.01)
    value[500:520] *= 1.6
    (found,) = judge(a_run(loss=value, lr=rate))
    assert found.severity == "info"
    (found,) = judge(a_run(loss=value, lr=np.where(np.arange(1000) < 500, 1.0, 10.0)))
    assert found.severity == "warning"


def test_few_points_and_no_loss():
    (found,) = judge(a_run(loss=np.ones(12)))
    assert found.status == "inconclusive"
    assert "30 points" in found.message
    assert judge(a_run(val_loss=np.ones(100)))[0].status == "skip"


def test_a_loss_that_is_mostly_zero_is_not_judged():
    rng = np.random.default_rng(0)
    value = np.where(rng.random(2000) < 0.8, 0.0, rng.random(2000))
    (found,) = judge(a_run(loss=value))
    assert found.status == "inconclusive"


def test_the_seed_profile_counts_three_sigma_and_warns_of_healthy_noise():
    value = healthy(3000, np.random.default_rng(0), sigma=0.05)
    assert any(f.failed for f in judge(a_run(loss=value), "seed"))
    assert not any(f.failed for f in judge(a_run(loss=value)))
    flat = 1 + 0.01 * np.resize([1.0, -1.0], 200)
    flat[150] = 2.0
    (found,) = judge(a_run(loss=flat), "seed")
    assert found.first_step == 151
    window = flat[50:150]
    z = (2.0 - window.mean()) / window.std(ddof=1)
    assert found.evidence["z"] == pytest.approx(z)
