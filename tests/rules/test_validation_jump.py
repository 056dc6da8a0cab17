"""Rule validation-jump."""

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import healthy

from trainlens.detect.companion import training_at
from trainlens.prescribe import prescribe
from trainlens.rules import all_rules, diagnose
from trainlens.run import Chunk, Run


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


def test_a_share_of_few_samples_is_as_noisy_as_counting_them():
    right = np.r_[116, 116, 116, 101, np.full(20, 116), 117, 116]
    assert judge(a_run(val_accuracy=right / 300))[0].severity == "info"
    exact = np.r_[0.38667, 0.38667, 0.38667, 0.33, np.full(20, 0.38667), 0.386671, 0.38667]
    assert judge(a_run(val_accuracy=exact))[0].severity == "warning"


def test_a_measure_that_collapses_is_an_error():
    dice = np.r_[np.linspace(0.7, 0.88, 20), 6.7e-11]
    (found,) = judge(a_run(val_dice=dice))
    assert (found.severity, found.first_step) == ("error", 21)
    back = judge(a_run(val_dice=np.r_[dice, 0.879, 0.88]))
    assert [f.severity for f in back] == ["warning"]


def test_a_lone_evaluation_of_many_must_lie_farther_out_than_two_in_a_row():
    rng = np.random.default_rng(0)
    level = np.linspace(0, -0.3, 60) + 0.03 * rng.standard_normal(60)
    alone, pair = level.copy(), level.copy()
    alone[30] += 0.19
    pair[30:32] += 0.19
    (one,), (two,) = (judge(a_run(val_loss=np.exp(y))) for y in (alone, pair))
    assert (one.status, one.severity) == ("fail", "info")
    assert (two.status, two.severity) == ("fail", "warning")


def test_a_rise_at_a_restart_of_the_learning_rate_is_expected():
    step, value = evaluations()
    value[20:24] *= 1.5
    rate_step = np.arange(0, 120_001, 100)
    rate = 0.01 * 0.5 * (1 + np.cos(np.pi * (rate_step % 61_000) / 61_000)) + 1e-5
    (plain,) = judge(a_run(val_loss=(step, value)))
    (found,) = judge(a_run(val_loss=(step, value), lr=(rate_step, rate)))
    assert plain.severity == "warning"
    assert found.severity == "info"
    assert "restarted" in found.message


def test_flat_evaluations_of_few_are_hardly_ever_a_warning():
    rng = np.random.default_rng(8)
    runs = [a_run(val_loss=1 + 0.04 * rng.normal(size=n)) for n in range(9, 30) for _ in range(20)]
    warned = sum(any(f.severity == "warning" for f in judge(run)) for run in runs)
    assert warned <= 4


def test_many_jumps_are_five_findings_and_a_count():
    _, value = evaluations(400)
    value[50:400:40] *= 1.6
    found = judge(a_run(val_loss=value))
    assert len(found) == 5
    assert "And 4 more" in found[-1].message


def with_training(back, rises, n=40):
    """A jump of validation at evaluation 20, with a training loss that rises there or does not."""
    rng = np.random.default_rng(7)
    value = healthy(n, rng, sigma=0.01)
    step = np.arange(1, 10 * n + 1)
    loss = healthy(10 * n, rng, sigma=0.02)
    later = slice(20, 30 if back else None)
    value[later] *= 1.5
    if rises:
        loss[10 * 20 : 10 * 30 if back else None] *= 1.5
    return a_run(loss=(step, loss), val_loss=(np.arange(1, n + 1) * 10, value))


@pytest.mark.parametrize(
    ("back", "rises", "severity"),
    [(True, True, "info"), (False, True, "warning"), (True, False, "warning"),
     (False, False, "warning")],
)  # fmt: skip
def test_a_jump_that_training_shares_and_that_passed_is_info(back, rises, severity):
    (found,) = [f for f in judge(with_training(back, rises)) if f.first_step == 210]
    assert found.severity == severity
    assert ("The training loss rose as well" in found.message) is rises
    assert ("half-way back" in found.message) is back


def test_what_training_did_is_claimed_only_where_it_is_known():
    for rises, said in ((True, "the model itself became worse"), (False, "went on as before")):
        run = with_training(back=True, rises=rises)
        found = prescribe(diagnose(run, select=("validation-jump",))).findings
        told = " ".join(c for f in found for c in f.causes)
        assert said in told
        assert ("went on as before" in told) is not rises
    alone = Run("r", "r", "synthetic").extend(Chunk(()))
    assert training_at(alone, np.arange(1, 5) * 10, 2) is None
    few = a_run(loss=([5, 15], [1.0, 1.0]), val_loss=([10, 20, 30], [1.0, 1.0, 1.0]))
    assert training_at(few, np.array([10, 20, 30]), 1) is None


def test_the_training_loss_around_an_evaluation():
    step = np.arange(1, 101)
    loss = np.where(step <= 50, 1.0, 1.2) + 0.001 * (step % 2)
    run = a_run(loss=(step, loss), val_loss=(step[9::10], loss[9::10]))
    evaluated = step[9::10]
    at = training_at(run, evaluated, 5)
    assert at.rose
    assert not at.calm
    assert (at.before, at.after) == pytest.approx((1.0005, 1.2005))
    before = training_at(run, evaluated, 3)
    assert before.calm
    assert not before.rose
    assert training_at(run, evaluated, 0) is None
    assert training_at(run, evaluated, 1).calm


@pytest.mark.parametrize(("level", "severity"), [(np.log(6), "info"), (3.3, "warning")])
def test_a_jump_of_guesses_is_info(level, severity):
    rng = np.random.default_rng(5)
    loss = level * (1 + 0.001 * rng.standard_normal(400))
    accuracy = 0.16 + 0.002 * rng.standard_normal(40)
    accuracy[30:] = 0.1
    (found,) = judge(a_run(loss=loss, val_accuracy=(np.arange(1, 41) * 10, accuracy)))
    assert (found.status, found.severity) == ("fail", severity)
    assert ("guesses are evaluated" in found.message) == (severity == "info")
