"""Rule loss-spike, of both profiles."""

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import NOISES, healthy

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


def test_three_accidents_at_nearly_equal_distances_are_no_habit():
    rng = np.random.default_rng(2)
    value = healthy(1800, rng, sigma=0.02)
    for at in (500, 980, 1473):
        value[at : at + 8] *= 3
    found = judge(a_run(loss=value))
    assert [f.severity for f in found] == ["warning"] * 3
    assert all(abs(f.first_step - at) <= 2 for f, at in zip(found, (501, 981, 1474), strict=True))


@pytest.mark.parametrize("below_zero", [False, True])
def test_a_running_mean_that_begins_anew_is_noted_and_a_spike_in_it_found(below_zero):
    rng = np.random.default_rng(4)
    raw, epoch = rng.standard_normal(6 * 500), 500
    total = raw.reshape(6, epoch).cumsum(axis=1) / np.arange(1, epoch + 1)
    value = 0.5 * np.linspace(1, -1, 3000) if below_zero else np.linspace(0, -1, 3000)
    noisy = value + 0.3 * total.ravel()
    run = a_run(loss=noisy if below_zero else np.exp(noisy))
    assert all(f.status == "pass" or f.severity == "info" for f in judge(run))
    noisy[1700:1710] += 1.5
    found = judge(a_run(loss=noisy if below_zero else np.exp(noisy)))
    assert [abs(f.first_step - 1701) <= 2 for f in found if f.severity == "warning"] == [True]


def two_kinds_of_batches(n=2000, share=0.15, seed=0):
    rng = np.random.default_rng(seed)
    level = 1 + 2 * np.exp(-np.arange(n) / 300)
    return level * np.exp(0.03 * rng.normal(size=n)) * np.where(rng.random(n) < share, 1.3, 1.0)


def test_two_kinds_of_batches_are_one_note():
    loss = two_kinds_of_batches()
    (found,) = judge(a_run(loss=loss))
    assert found.severity == "info"
    assert "has two levels" in found.message
    assert found.evidence["ratio"] == pytest.approx(1.3, abs=0.02)
    assert found.evidence["share"] == pytest.approx(0.15, abs=0.02)


def test_a_spike_above_the_second_level_is_a_warning_all_the_same():
    loss = two_kinds_of_batches()
    loss[1200:1212] *= 2.5
    note, found = judge(a_run(loss=loss))
    assert "has two levels" in note.message
    assert found.severity == "warning"
    assert found.first_step == 1201


def test_many_spikes_are_five_findings_and_a_count():
    rng = np.random.default_rng(3)
    loss = np.exp(0.02 * rng.normal(size=6000))
    for at in rng.choice(np.arange(4, 118), 20, replace=False) * 50:
        loss[at : at + 5] *= 3
    found = judge(a_run(loss=loss))
    assert len(found) == 5
    assert "more at steps" in found[-1].message
    assert found[-1].evidence["unlisted"] >= 10


def test_high_points_that_fall_together_by_chance_are_hardly_ever_a_warning():
    warned = 0
    for seed in range(20):
        noise = np.exp(0.8 * np.random.default_rng(seed).normal(size=3000))
        found = judge(a_run(loss=1 + 0.08 * (noise - noise.mean())))
        warned += any(f.severity in ("warning", "error") for f in found)
    assert warned <= 1
