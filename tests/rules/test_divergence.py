"""Rule divergence."""

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import NOISES, healthy, noise

from trainlens.rules import all_rules


def judge(run):
    (found,) = all_rules()["divergence"](run)
    return found


def sick(kind, growth, start, n=2000, scale=1.0):
    value = healthy(n, np.random.default_rng(5), kind=kind, sigma=0.03, scale=scale)
    at = int(start * n)
    value[at:] *= np.linspace(1, growth, n - at)
    return value


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", NOISES)
def test_fast_and_slow_divergence_and_neither(kind, scale):
    assert judge(a_run(loss=sick(kind, 1.0, 0.7, scale=scale))).status == "pass"
    slow = judge(a_run(loss=sick(kind, 1.5, 0.7, scale=scale)))
    assert slow.status == "fail"
    assert slow.first_step >= 1300
    fast = judge(a_run(loss=sick(kind, 20, 0.8, scale=scale)))
    assert (fast.status, fast.severity) == ("fail", "error")
    assert fast.first_step >= 1500


@pytest.mark.parametrize("n", [100, 1000])
def test_a_wandering_flat_loss_does_not_diverge(n):
    warned = [
        judge(a_run(loss=np.exp(noise("ar9", n, 0.15, np.random.default_rng(seed))))).failed
        for seed in range(60)
    ]
    assert sum(warned) <= 2


def test_a_blow_up_before_nan_is_found():
    value = sick("white", 1.0, 0.9)
    value[1900:1910] *= np.logspace(1, 10, 10)
    value[1910:] = np.nan
    found = judge(a_run(loss=value))
    assert found.severity == "error"
    assert found.first_step == 1901
    assert found.evidence["peak"] > 1e8


def test_a_spike_that_recovered_is_none():
    value = sick("white", 1.0, 0.9)
    value[1800:1815] *= 20
    assert judge(a_run(loss=value)).status == "pass"


def test_overfitting_is_none():
    train = sick("white", 1.0, 0.9)
    found = judge(a_run(loss=train, val_loss=np.linspace(0.5, 2, 100)))
    assert (found.status, found.split) == ("pass", "train")


def test_a_loss_that_rises_with_the_reward_is_info():
    value = sick("white", 3.0, 0.6)
    reward = np.linspace(0, 200, 2000)
    assert judge(a_run(loss=value, ep_rew_mean=reward)).severity == "info"
    assert judge(a_run(loss=value, ep_rew_mean=-reward)).severity == "error"


def test_a_negative_loss_that_rises():
    value = np.log(sick("white", 1.0, 0.9)) - 3
    assert judge(a_run(loss=value)).status == "pass"
    value[1400:] += np.linspace(0, 2, 600)
    assert judge(a_run(loss=value)).status == "fail"


def test_few_points_and_no_loss():
    assert judge(a_run(loss=np.ones(12))).status == "inconclusive"
    assert judge(a_run(lr=np.ones(100))).status == "skip"


@pytest.mark.parametrize(("kind", "n"), [("ar5", 70), ("ar9", 150), ("ar9", 600)])
def test_a_slow_rise_in_few_points_or_under_noise_with_a_memory(kind, n):
    value = healthy(n, np.random.default_rng(3), kind=kind, sigma=0.02)
    assert judge(a_run(loss=value)).status == "pass"
    at = int(0.7 * n)
    value[at:] *= np.linspace(1, 1.6, n - at) * value[at - 10 : at].mean() / value[at:].mean()
    assert judge(a_run(loss=value)).status == "fail"


def test_a_rise_on_a_curve_that_was_flat_for_long():
    value = 0.9 + 0.1 * (1 + np.arange(600)) ** -0.5
    value *= np.exp(0.02 * np.random.default_rng(0).standard_normal(600))
    value[420:] *= np.linspace(1, 1.4, 180)
    assert judge(a_run(loss=value)).status == "fail"


def test_a_loss_that_rises_within_each_of_two_epochs():
    n = 2000
    value = np.exp(0.05 * np.random.default_rng(2).standard_normal(n))
    value *= np.exp(0.25 * (np.arange(n) % 1000) / 1000)
    assert judge(a_run(loss=value)).status == "pass"


@pytest.mark.parametrize(("rise", "severity"), [(1.2, None), (1.45, "warning")])
def test_a_loss_that_breaks_early_and_never_comes_back(rise, severity):
    n = 400
    x = np.arange(n)
    level = 0.9 + 1.1 * np.exp(-x / 15)
    level[100:] = 0.9 * (1 + (rise - 1) * np.minimum((x[100:] - 100) / 20, 1.0))
    loss = level * np.exp(0.02 * np.random.default_rng(5).standard_normal(n))
    found = judge(a_run(loss=loss))
    assert found.failed is (severity is not None)
    if severity:
        assert found.severity == severity
        assert 95 <= found.first_step <= 125


def test_only_a_loss_is_expected_to_come_back_to_a_level():
    x = np.arange(400)
    norm = np.where(x < 100, 1.0, 1.45) * np.exp(0.02 * np.random.default_rng(5).normal(size=400))
    loss = (0.3 + (1 + x / 20) ** -0.5) * np.exp(0.02 * np.random.default_rng(6).normal(size=400))
    (found,) = all_rules()["gradient-explosion"](a_run(loss=loss, grad_norm=norm))
    assert found.status == "pass"


def test_a_block_of_spikes_shortly_before_the_end_is_no_divergence():
    rng = np.random.default_rng(0)
    value = 48 + 120 / np.arange(1, 267) ** 0.5 + rng.normal(0, 0.15, 266)
    value[246:255] *= 4
    assert judge(a_run(loss=value)).status == "pass"


def settled(n, seed, noise):
    """A loss that falls over the first 70 % of a run and stays, as level and with its noise."""
    x = np.arange(n)
    level = 0.3 + 0.7 * (1 + np.minimum(x, 0.7 * n) / 5) ** -0.6
    return level * np.exp(noise * np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize(("n", "noise"), [(100, 0.08), (120, 0.1), (200, 0.12)])
def test_a_steady_climb_is_seen_where_its_levels_are_within_the_noise(n, noise):
    climb = np.maximum(np.linspace(0, 1, n) - 0.7, 0) / 0.3
    found = [judge(a_run(loss=settled(n, s, noise) * (1 + 0.5 * climb))).failed for s in range(40)]
    assert sum(found) >= 36
    assert not any(judge(a_run(loss=settled(n, s, noise))).failed for s in range(40))


@pytest.mark.parametrize("tau", [0.2, 0.3])
def test_a_rise_after_a_steep_fall_takes_back_no_sudden_one(tau):
    x = np.linspace(0, 1, 1000)
    value = np.exp(-np.minimum(x, 0.7) / tau) * (1 + 0.4 * np.maximum(x - 0.7, 0) / 0.3)
    value *= np.exp(0.01 * np.random.default_rng(0).standard_normal(1000))
    assert judge(a_run(loss=value)).failed
