"""``missing-warmup``: blamed for trouble at the start, not for being missing."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Severity, Status, registered
from trainlens.rules.missing_warmup import missing_warmup

N = 2000
T = np.arange(N)
FALLING = 1e-3 * (1 - T / N)


def only(run, **settings):
    (finding,) = missing_warmup(run, **settings)
    return finding


def healthy(seed=0, sigma=0.05, n=N):
    rng = np.random.default_rng(seed)
    return (0.3 + 0.7 * (1 + np.arange(n) / 20) ** -0.5) * np.exp(sigma * rng.standard_normal(n))


def bumped(high, seed=0):
    return healthy(seed) * np.exp(high * np.sin(np.pi * np.clip(T / 100, 0, 1)))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_loss_that_rises_first(scale):
    found = only(a_run(lr=(T, FALLING), loss=(T, scale * bumped(1.5))))
    assert found.status is Status.FAIL
    assert "No warmup" in found.message
    assert "the loss rises by" in found.message
    assert 0 <= found.first_step <= found.last_step <= 100


def test_a_warning():
    assert registered()["default", "missing-warmup"].severity is Severity.WARNING


def at_once(high, n=N, noise=0.05, seed=0):
    """A loss and a norm that leap from the first point on and are back by 5 % of the run."""
    rng = np.random.default_rng(seed)
    late = np.arange(n) / (0.008 * n)
    hump = late * np.exp(1 - late)
    loss = healthy(seed, 0, n)[0] * (1 + np.arange(n) / 20) ** -0.1 * (1 + high * hump)
    norm = (1 + 30 * hump) * np.exp(rng.normal(0, 0.2, n))
    return loss * np.exp(noise * rng.standard_normal(n)), norm


@pytest.mark.parametrize("n", [450, 2000, 6000])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_rise_from_the_first_point_on(n, scale):
    t, (loss, _) = np.arange(n), at_once(3, n)
    found = only(a_run(lr=(t, 1 - t / n), loss=(t, scale * loss)))
    assert found.status is Status.FAIL
    assert "the loss rises by" in found.message
    assert found.first_step == 0
    assert found.last_step < 0.03 * n


def test_a_smaller_one_with_a_leap_of_the_norm():
    loss, norm = at_once(0.5)
    assert only(a_run(lr=(T, FALLING), loss=(T, loss))).status is Status.PASS
    run = a_run(lr=(T, FALLING), loss=(T, loss), grad_norm=(T, norm))
    assert only(run).status is Status.FAIL


def test_a_rise_that_stays_is_no_start():
    loss = np.where(T < 1, 1.0, 3.0) * healthy(0)
    assert only(a_run(lr=(T, FALLING), loss=(T, loss / healthy(0, 0)))).status is Status.PASS


def broken_at(at):
    return np.where(at > T, (1 + T / 20) ** -0.4, (1 + at / 20) ** -0.4 * 1.8) * healthy(0) ** 0.1


def test_a_loss_that_is_lost_at_full_speed():
    cosine = 0.5 + 0.5 * np.cos(np.pi * T / N)
    found = only(a_run(lr=(T, cosine), loss=(T, broken_at(400))))
    assert found.status is Status.FAIL
    assert "never comes back" in found.message
    assert only(a_run(lr=(T, cosine), loss=(T, broken_at(900)))).status is Status.PASS
    steady = a_run(lr=(T, np.ones(N)), loss=(T, broken_at(400)))
    assert only(steady).status is Status.PASS


def test_a_loss_that_breaks_early():
    loss = healthy()
    loss[40:44] = np.nan
    found = only(a_run(lr=(T, FALLING), loss=(T, loss)))
    assert found.status is Status.FAIL
    assert "not finite at step 40" in found.message
    loss[40:] = np.nan
    assert only(a_run(lr=(T, FALLING), loss=(T, loss))).status is Status.FAIL


def test_a_norm_that_leaps():
    norm = np.exp(np.random.default_rng(1).normal(0, 0.3, N))
    norm[20:40] *= 300
    found = only(a_run(lr=(T, FALLING), loss=(T, healthy()), grad_norm=(T, norm)))
    assert found.status is Status.FAIL
    assert "the gradient norm leaps" in found.message


@pytest.mark.parametrize("seed", range(20))
def test_a_run_without_warmup_and_without_trouble(seed):
    rng = np.random.default_rng(seed)
    norm = (1 + 20 * np.exp(-T / 50)) * np.exp(0.3 * rng.standard_t(4, N))
    found = only(a_run(lr=(T, FALLING), loss=(T, healthy(seed, 0.2)), grad_norm=(T, norm)))
    assert found.status is Status.PASS
    assert found.message.startswith("No warmup, and none was missed")


def test_the_same_trouble_with_a_warmup_is_another_matter():
    lr = np.minimum(T / 100, 1) * FALLING
    found = only(a_run(lr=(T, lr), loss=(T, bumped(1.5))))
    assert found.status is Status.PASS
    assert "Linear warmup over" in found.message


def test_trouble_all_along_is_not_that_of_the_start():
    loss = np.tile(bumped(1.5)[:200], 10)
    assert only(a_run(lr=(T, FALLING), loss=(T, loss))).status is Status.PASS
    loss = healthy()
    loss[::10] = np.nan
    assert only(a_run(lr=(T, FALLING), loss=(T, loss))).status is Status.PASS


def test_a_log_that_begins_late_cannot_tell():
    assert only(a_run(lr=(T + 1000, FALLING), loss=(T + 1000, bumped(2)))).status is Status.SKIP


def test_what_is_missing_is_said():
    assert only(a_run(loss=healthy())).status is Status.SKIP
    assert only(a_run(lr=[1.0, 1.0])).status is Status.INCONCLUSIVE
