"""Rule gradient-explosion, of both profiles."""

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import healthy

from trainlens.rules import all_rules


def judge(run, profile="default"):
    return all_rules(profile)["gradient-explosion"](run)


def norms(n=1000, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return scale * (1 + 5 * np.exp(-np.arange(n) / 50)) * np.exp(0.3 * rng.standard_normal(n))


def loss(n=1000):
    return healthy(n, np.random.default_rng(1), sigma=0.03)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_surge_is_measured_against_the_run_itself(scale):
    value = norms(scale=scale)
    assert judge(a_run(grad_norm=value))[0].status == "pass"
    value[600:604] *= 40
    (found,) = judge(a_run(grad_norm=value, loss=loss()))
    assert (found.status, found.severity) == ("fail", "warning")
    assert (found.first_step, found.last_step) == (601, 604)
    assert 20 < found.evidence["ratio"] < 80
    assert "no damage" in found.message


def test_consequences_decide_the_severity():
    value, hurt, lost = norms(), loss(), loss()
    value[600] *= 60
    assert judge(a_run(grad_norm=value, loss=loss()))[0].severity == "info"
    hurt[602:612] *= 3
    (found,) = judge(a_run(grad_norm=value, loss=hurt))
    assert found.severity == "error"
    assert "rose from" in found.message
    lost[605:] = np.nan
    (found,) = judge(a_run(grad_norm=value, loss=lost))
    assert found.severity == "error"
    assert "NaN" in found.message


def test_sustained_growth():
    value = norms() * np.exp(np.maximum(np.arange(1000) - 500, 0) / 120)
    (found,) = judge(a_run(grad_norm=value, loss=loss()))
    assert found.severity == "warning"
    assert found.evidence["peak"] > 30
    assert "grown" in found.message


def test_norms_of_zero_are_skipped_steps():
    value = norms()
    value[::7] = 0
    assert judge(a_run(grad_norm=value))[0].status == "pass"


def test_nothing_logged_and_too_little():
    assert judge(a_run(loss=loss()))[0].status == "skip"
    assert judge(a_run(grad_norm=np.ones(9)))[0].status == "inconclusive"


def test_the_seed_profile_counts_norms_above_100():
    value = norms()
    value[600] = 100.5
    (found,) = judge(a_run(grad_norm=value), "seed")
    assert (found.status, found.first_step, found.evidence["peak"]) == ("fail", 601, 100.5)
    value[600] = 99.5
    assert judge(a_run(grad_norm=value), "seed")[0].status == "pass"
