"""Rule validation-jump."""

import numpy as np
import pytest
from rule_runs import a_run

from benchmarks.diagnosis.curves import healthy
from trainlens.rules import all_rules


def judge(run):
    return all_rules()["validation-jump"](run)


def evaluations(n=40, sigma=0.02, seed=0):
    step = np.arange(1, n + 1) * 3000
    return step, 80 * healthy(n, np.random.default_rng(seed), sigma=sigma)


@pytest.mark.parametrize("name", ["val_loss", "val_mpjpe"])
def test_a_clear_jump_is_a_warning_with_value_noise_and_return(name):
    step, value = evaluations()
    value[20] *= 1.5
    (found,) = judge(a_run(**{name: (step, value)}))
    assert found.severity == "warning"
    assert (found.first_step, found.last_step) == (63000, 66000)
    assert found.evidence["change"] == pytest.approx(value[20] - value[19])
    assert found.evidence["z"] > 4
    assert "came back at step 66" in found.message


def test_a_jump_that_stays_says_so():
    step, value = evaluations()
    value[20:] *= 1.5
    (found,) = judge(a_run(val_loss=(step, value)))
    assert found.severity == "warning"
    assert "stayed" in found.message


def test_the_jump_of_the_seed_is_within_the_noise_of_its_run():
    """82.61 -> 105.23 mm is 0.8 sigma where evaluations scatter by 19.6 mm."""
    rng = np.random.default_rng(4)
    value = 85 + np.clip(19.6 * rng.standard_normal(33), -25, 25)
    value[3], value[4] = 105.23, 71.07
    value[2] = 82.61
    value[5:] = np.where(np.diff(value[4:]) > 0.2 * value[4:-1], value[4:-1] * 1.15, value[5:])
    (found,) = judge(a_run(val_mpjpe=(np.arange(1, 34) * 3000, value)))
    assert (found.status, found.severity) == ("fail", "info")
    assert "the step-to-step noise" in found.message.lower()
    assert found.evidence["z"] < 3.5


def test_an_accuracy_that_collapses_and_one_that_rises():
    rng = np.random.default_rng(1)
    value = 0.8 - 0.5 * np.exp(-np.arange(40) / 6) + 0.005 * rng.standard_normal(40)
    (found,) = judge(a_run(val_accuracy=value))
    assert found.status == "pass"
    value[30:] = 0.1
    (found,) = judge(a_run(val_accuracy=value))
    assert found.severity == "warning"
    assert "fell" in found.message
    assert found.evidence["share"] < -0.8


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_no_unit(factor):
    step, value = evaluations()
    value[20] *= 1.4
    (one,) = judge(a_run(val_loss=(step, value)))
    (other,) = judge(a_run(val_loss=(step, value * factor)))
    assert (one.severity, one.first_step) == (other.severity, other.first_step)
    assert one.evidence["z"] == pytest.approx(other.evidence["z"])


def test_few_evaluations_and_none():
    (found,) = judge(a_run(val_loss=np.ones(5)))
    assert found.status == "inconclusive"
    assert "8 evaluations" in found.message
    assert judge(a_run(loss=np.ones(50)))[0].status == "skip"


def test_a_steady_climb_is_no_jump() -> None:
    """Validation that worsens by the same little at every evaluation has no sudden step."""
    rng = np.random.default_rng(3)
    climb = 1.4 * np.exp(np.arange(120) * 0.012 + rng.normal(0, 0.002, 120))
    found = judge(a_run(val_loss=(np.arange(120) * 100, climb)))
    assert [f.status.value for f in found] == ["pass"]
