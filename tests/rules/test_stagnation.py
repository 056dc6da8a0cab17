"""``stagnation``: certain on curves that stopped, silent on those that slow down."""

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import noise, power_law

from trainlens.rules.base import Severity, Status, registered
from trainlens.rules.seed import stagnation as seed
from trainlens.rules.stagnation import stagnation


def only(run, **settings):
    (finding,) = stagnation(run, **settings)
    return finding


def stopped(n=2000, stop=0.5, sigma=0.02, kind="white", seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    twin = power_law(n, rng, floor=0.2, exponent=0.5)
    at = int(stop * n)
    curve = np.where(np.arange(n) < at, twin, twin[at])
    return scale * curve * np.exp(noise(kind, n, sigma, rng))


def going_on(n=2000, sigma=0.02, kind="white", seed=0):
    rng = np.random.default_rng(seed)
    return power_law(n, rng, floor=0.2, exponent=0.5) * np.exp(noise(kind, n, sigma, rng))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("kind", ["white", "t4", "shrinking"])
def test_a_plateau_is_found_at_any_scale(kind, scale):
    found = only(a_run(loss=stopped(kind=kind, scale=scale)))
    assert found.status is Status.FAIL
    assert found.first_step == pytest.approx(1000, abs=200)
    assert found.last_step == 2000
    assert "Stopped learning at step" in found.message


@pytest.mark.parametrize("seed", range(10))
def test_the_healthy_twin_passes(seed):
    assert only(a_run(loss=going_on(seed=seed))).status is not Status.FAIL


def test_a_scale_changes_nothing_but_the_level():
    plain, scaled = only(a_run(loss=stopped())), only(a_run(loss=stopped() * 2.0**-20))
    assert plain.first_step == scaled.first_step
    assert plain.evidence == pytest.approx(scaled.evidence, rel=1e-9)


def test_losses_below_zero():
    found = only(a_run(loss=stopped(sigma=0.005) - 0.5))
    assert found.status is Status.FAIL
    assert only(a_run(loss=going_on(sigma=0.005) - 0.5)).status is not Status.FAIL


def cosine_run(seed=0, n=2000):
    t = np.linspace(0, 1, n)
    rate = (1 + np.cos(np.pi * t)) / 2
    spent = np.cumsum(rate) / rate.sum() * n
    rng = np.random.default_rng(seed)
    curve = np.interp(spent, np.arange(n), power_law(n, rng, floor=0.2, exponent=0.5))
    return curve * np.exp(noise("white", n, 0.005, rng)), 1e-3 * rate


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("logged", [True, False])
def test_the_end_of_a_cosine_is_no_stagnation(seed, logged):
    loss, rate = cosine_run(seed)
    run = a_run(loss=loss, lr=rate) if logged else a_run(loss=loss)
    assert only(run).status is Status.PASS


def test_a_late_decay_to_nothing_has_converged():
    n = 1000
    rate = np.where(np.arange(n) < 620, 1.0, 1e-6)
    spent = np.cumsum(rate)
    rng = np.random.default_rng(1)
    loss = (0.2 + (1 + spent / 10) ** -0.5) * np.exp(rng.normal(0, 0.003, n))
    found = only(a_run(loss=loss, lr=rate))
    assert found.status is Status.PASS
    assert "Converged" in found.message


def test_a_premature_decay_is_named():
    n = 1000
    rate = np.where(np.arange(n) < 400, 1.0, 0.001)
    rng = np.random.default_rng(2)
    loss = (0.2 + (1 + np.cumsum(rate) / 10) ** -0.5) * np.exp(rng.normal(0, 0.003, n))
    found = only(a_run(loss=loss, lr=rate))
    assert found.status is Status.FAIL
    assert "already below 2 % of its peak" in found.message
    assert found.first_step == pytest.approx(400, abs=80)


def test_stagnation_at_a_full_learning_rate_is_told_with_it():
    loss = stopped()
    found = only(a_run(loss=loss, lr=np.full(len(loss), 1e-3)))
    assert found.status is Status.FAIL
    assert found.evidence["rate_share_at_onset"] == 1.0


def test_an_early_fall_and_a_long_rest():
    rng = np.random.default_rng(3)
    loss = (1 + np.exp(-np.arange(3000) / 5)) * np.exp(rng.normal(0, 0.01, 3000))
    found = only(a_run(loss=loss))
    assert found.status is Status.FAIL
    assert found.first_step < 900


def test_a_loss_that_never_fell_is_another_rule():
    rng = np.random.default_rng(4)
    found = only(a_run(loss=np.exp(rng.normal(1.2, 0.003, 500))))
    assert found.status is Status.SKIP
    assert "never-learned" in found.message


def test_too_few_points_say_what_is_needed():
    found = only(a_run(loss=np.linspace(1, 0.9, 12)))
    assert found.status is Status.INCONCLUSIVE
    assert "30" in found.message


def test_noise_that_hides_everything_is_inconclusive():
    found = only(a_run(loss=going_on(n=100, sigma=0.4, seed=1)))
    assert found.status in (Status.INCONCLUSIVE, Status.PASS)
    if found.status is Status.INCONCLUSIVE:
        assert found.evidence["smallest_visible"] > 0.02


def test_without_a_loss_or_with_rewards_it_is_skipped():
    assert only(a_run(grad_norm=np.ones(5))).status is Status.SKIP
    run = a_run(loss=stopped(), ep_rew_mean=np.arange(100.0))
    assert only(run).status is Status.SKIP


def test_validation_loss_serves_where_there_is_no_other():
    assert only(a_run(val_loss=stopped(n=600, sigma=0.005))).split == "val"


def test_the_seed_profile_is_exact_and_depends_on_the_unit():
    rng = np.random.default_rng(5)
    flat = 1 + rng.normal(0, 0.01, 25)
    flat[-20:] -= np.linspace(0, 1, 20) * np.polyfit(np.arange(20), flat[-20:], 1)[0] * 19.1
    found = next(seed.stagnation(a_run(loss=flat)))
    assert found.failed == (np.var(flat[-20:]) < 0.001)
    assert not next(seed.stagnation(a_run(loss=flat * 100))).failed
    assert not next(seed.stagnation(a_run(loss=np.linspace(1, 0.99, 25)))).failed


def test_the_patience_of_the_seed_profile():
    val = np.concatenate([np.linspace(1, 0.5, 10), np.full(30, 0.6)])
    loss = np.linspace(1, 0.1, 40)
    found = list(seed.stagnation(a_run(loss=loss, val_loss=val)))
    assert [f.failed for f in found] == [False, True]
    assert found[1].evidence["since_best"] == 30
    found = list(seed.stagnation(a_run(loss=loss, val_loss=val[:-1])))
    assert not any(f.failed for f in found)


def test_severity_and_order():
    rule = registered()["default", "stagnation"]
    assert rule.severity is Severity.WARNING
    assert rule.requires == ("non-finite", "divergence")


def test_a_plateau_stands_out_from_a_bent_fall_in_few_points():
    t = np.minimum(np.arange(120) / 120, 0.45)
    curve = 0.3 + 0.7 * np.exp(-t / 0.4)
    noise_of = np.random.default_rng(4).standard_normal(120)
    assert only(a_run(loss=curve * np.exp(0.005 * noise_of))).failed


def test_a_rise_is_no_plateau():
    n = np.arange(1000)
    curve = np.where(n < 500, 2 - n / 500, 0.6 + 0.4 * n / 500)
    rng = np.random.default_rng(6)
    assert not only(a_run(loss=curve * np.exp(0.02 * rng.standard_normal(1000)))).failed


def test_a_loss_with_next_to_nothing_left_is_an_information():
    found = only(a_run(loss=np.concatenate([np.geomspace(2.0, 0.02, 200), stopped()[-800:] / 20])))
    assert (found.status, found.severity) == (Status.FAIL, Severity.INFO)
    assert "little left to learn" in found.message


def test_recovering_from_a_start_that_blew_up_is_no_pace_of_learning():
    n = 2000
    x = np.arange(1, n + 1)
    curve = 0.8 + 0.2 * (1 + x / 400) ** -0.5
    surge = 1 + 2.2 * np.exp(-(((x - 20) / 25.0) ** 2))
    rng = np.random.default_rng(0)
    found = only(a_run(loss=curve * surge * np.exp(0.01 * rng.standard_normal(n))))
    assert not found.failed


@pytest.mark.parametrize("sigma", [0.03, 0.1])
def test_a_learning_rate_at_its_peak_is_no_reason_to_converge(sigma):
    rate = np.minimum(1.0, np.arange(1, 401) / 120) * 1e-3
    for made in range(8):
        loss = stopped(n=400, stop=0.1, sigma=sigma, seed=made)
        assert "Converged" not in only(a_run(loss=loss, lr=rate)).message


def test_how_far_a_loss_fell_counts_from_its_very_first_value():
    """Of a steep fall, the first few points tell little of where it began."""
    n = 400
    level = 0.05 + 0.4 * np.exp(-np.arange(n) / 10)
    level[0] = 1.7
    found = only(a_run(loss=level * np.exp(np.random.default_rng(3).normal(0, 0.1, n))))
    assert (found.status, found.severity) == (Status.FAIL, Severity.INFO)
    assert found.evidence["fallen"] > 0.96
    level[0] = 0.45
    found = only(a_run(loss=level * np.exp(np.random.default_rng(3).normal(0, 0.1, n))))
    assert found.severity is None
