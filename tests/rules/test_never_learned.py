"""``never-learned``: flat from the first step, and told apart from stagnation."""

import math
import re

import numpy as np
import pytest
from rule_runs import a_run
from synthetic_curves import noise, power_law

from trainlens.rules.base import Status
from trainlens.rules.never_learned import never_learned
from trainlens.rules.stagnation import stagnation
from trainlens.stats.chance import guessing_among


def only(run, rule=never_learned, **settings):
    (finding,) = rule(run, **settings)
    return finding


def test_the_seed_twenty_epochs_at_3_43():
    rng = np.random.default_rng(0)
    found = only(a_run(loss=np.round(3.434 + rng.normal(0, 0.004, 20), 4)))
    assert found.status is Status.FAIL
    assert (found.first_step, found.last_step) == (1, 20)
    assert "3.4" in found.message
    assert found.evidence["drop_at_most"] < 0.02


@pytest.mark.parametrize("value", [3.43, 1e-6, 5e5, -4.0])
@pytest.mark.parametrize("n", [10, 20, 1000])
def test_constant_losses(value, n):
    assert only(a_run(loss=np.full(n, value))).status is Status.FAIL


@pytest.mark.parametrize("kind", ["white", "ar5", "t4", "skew"])
@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_flat_under_noise_and_never_with_stagnation(kind, scale):
    rng = np.random.default_rng(1)
    run = a_run(loss=scale * np.exp(noise(kind, 2000, 0.03, rng)))
    assert only(run).status is Status.FAIL
    assert not only(run, stagnation).failed


@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_is_never_both(seed):
    rng = np.random.default_rng(seed)
    curve = power_law(800, rng)
    curve[300:] = curve[300]
    run = a_run(loss=curve * np.exp(rng.normal(0, 0.01, 800)))
    assert only(run).status is Status.PASS


@pytest.mark.parametrize("drop", [0.025, 0.1])
def test_a_little_is_not_nothing(drop):
    rng = np.random.default_rng(2)
    found = only(a_run(loss=2.7 * (1 - drop * np.linspace(0, 1, 60)) + rng.normal(0, 0.005, 60)))
    assert found.status is Status.PASS


@pytest.mark.parametrize(
    ("classes", "level"), [(10, 2.302), (3, 1.0986), (1000, 6.9078), (6, 1.79)]
)
def test_the_level_of_guessing(classes, level):
    assert guessing_among(level) == classes
    found = only(a_run(loss=np.full(30, level)))
    assert found.evidence["classes"] == classes
    assert f"{level:.3f}".rstrip("0")[:4] in found.message


def test_no_class_count_where_none_is_near():
    assert guessing_among(1.05) == 0
    assert guessing_among(0.1) == 0
    assert guessing_among(1e300) == 0


def test_a_random_start_that_comes_down_to_guessing():
    loss = np.full(100, math.log(10)) + np.random.default_rng(3).normal(0, 2e-4, 100)
    loss[0] = 2.40
    run = a_run(loss=loss, accuracy=np.full(100, 0.112))
    found = only(run)
    assert found.status is Status.FAIL
    assert "guessing among 10" in found.message
    assert found.evidence["accuracy"] == pytest.approx(0.112)
    assert only(run, stagnation).status is Status.SKIP


def test_a_short_log_is_inconclusive():
    assert only(a_run(loss=np.full(6, 3.43))).status is Status.INCONCLUSIVE


def test_noise_that_could_hide_learning_is_inconclusive():
    rng = np.random.default_rng(4)
    found = only(a_run(loss=1.3 * np.exp(rng.normal(0, 0.3, 40))))
    assert found.status is Status.INCONCLUSIVE
    assert found.evidence["drop_at_most"] > 0.05


def test_a_warm_up_that_is_not_over_is_waited_for():
    run = a_run(loss=np.full(20, 3.43), lr=np.linspace(1e-7, 1e-4, 20))
    assert only(run).status is Status.INCONCLUSIVE


def test_another_measure_that_improves_speaks_against_it():
    run = a_run(loss=np.full(60, 0.7), val_accuracy=np.linspace(0.5, 0.9, 60))
    found = only(run)
    assert found.status is Status.INCONCLUSIVE
    assert "val accuracy improves" in found.message


def test_a_log_that_begins_late_is_a_note_only():
    found = only(a_run(loss=(np.arange(50_000, 60_000, 100), np.full(100, 0.4))))
    assert found.severity == "info"
    assert "what was learned before is not known" in found.message


@pytest.mark.parametrize(("n", "severity"), [(3, "info"), (12, "warning")])
def test_a_measure_at_zero_while_the_loss_falls(n, severity):
    loss = np.linspace(2.0, 0.5, 12)[:n]
    found = list(never_learned(a_run(loss=loss, val_mAP=np.zeros(n), val_accuracy=np.zeros(n))))
    assert found[0].status is Status.FAIL
    assert found[0].severity == severity
    assert "exactly 0 in all" in found[0].message
    assert found[0].evidence["measures_at_zero"] == 2
    some = np.r_[np.zeros(n - 1), 0.01]
    held = list(never_learned(a_run(loss=loss, val_mAP=some)))
    assert not any(f.failed for f in held)
    assert not any(f.failed for f in never_learned(a_run(loss=loss[::-1], val_mAP=np.zeros(n))))


def test_accuracy_at_chance_without_a_loss():
    found = only(a_run(eval_accuracy=np.full(13, 0.001)))
    assert found.status is Status.FAIL
    assert found.evidence["classes"] == 1000
    assert only(a_run(eval_accuracy=np.linspace(0.1, 0.8, 13))).status is Status.PASS
    assert not only(a_run(eval_accuracy=np.linspace(2.746, 2.689, 23))).failed
    assert only(a_run(eval_accuracy=np.full(4, 0.1))).status is Status.INCONCLUSIVE


def test_without_loss_and_accuracy_it_is_skipped():
    assert only(a_run(lr=np.ones(3))).status is Status.SKIP


def test_a_loss_of_zero_is_not_judged():
    assert only(a_run(loss=np.zeros(50))).status is Status.INCONCLUSIVE


def test_validation_that_guesses_while_training_learns():
    loss = np.exp(-np.arange(300) / 60) + 0.01
    rng = np.random.default_rng(0)
    at = np.arange(10, 301, 10)
    guessed = 0.1 + 0.003 * rng.standard_normal(30)
    found = list(never_learned(a_run(loss=loss, val_accuracy=(at, guessed))))
    assert [f.status for f in found] == [Status.PASS, Status.FAIL]
    assert "nothing of it carries over" in found[1].message
    assert found[1].split == "val"
    learned = list(never_learned(a_run(loss=loss, val_accuracy=(at, np.linspace(0.1, 0.8, 30)))))
    assert [f.status for f in learned] == [Status.PASS]


def test_a_flat_and_noisy_loss_is_a_warning_with_its_bound():
    loss = np.exp(0.09 * np.random.default_rng(2).standard_normal(160))
    (found,) = never_learned(a_run(loss=loss))
    assert found.status is Status.FAIL
    assert found.severity == "warning"
    assert 0.05 < found.evidence["drop_at_most"] < 0.075
    falling = loss * np.linspace(1.0, 0.92, 160)
    assert not any(f.failed for f in never_learned(a_run(loss=falling)))


def collapsed(level, accuracy, n=300, seed=2):
    """A loss that leaps from its start to a level, with an accuracy in every tenth step."""
    rng = np.random.default_rng(seed)
    loss = level * np.exp(rng.normal(0, 0.05, n))
    loss[:4] = 2.0, 21.0, 4.0, 1.9
    counts = np.round(np.clip(accuracy + rng.normal(0, 0.01, n // 10), 0, 1) * 500) / 500
    return a_run(loss=loss, val_accuracy=(np.arange(10, n + 1, 10), counts))


def test_a_loss_that_came_down_to_guessing_has_not_learned():
    found = only(collapsed(1.14, 1 / 3))
    assert (found.status, found.severity) == (Status.FAIL, None)
    assert found.evidence["classes"] == 3
    assert "no better than guessing among 3 classes" in found.message
    assert (found.first_step, found.last_step) == (1, 300)


@pytest.mark.parametrize(("level", "accuracy"), [(0.9, 1 / 3), (1.14, 0.42), (3.0, 1 / 3)])
def test_below_the_level_of_guessing_or_above_its_accuracy_something_was_learned(level, accuracy):
    assert not any(f.failed for f in never_learned(collapsed(level, accuracy)))


def test_an_accuracy_that_leaps_between_few_values_is_no_improvement():
    """One class is said of all samples, now this, now that."""
    rng = np.random.default_rng(4)
    n = 400
    accuracy = np.where(np.arange(n // 10) < 8, 0.194, rng.choice([0.35, 0.218, 0.35], n // 10))
    loss = 1.58 * np.exp(rng.normal(0, 0.02, n))
    found = only(a_run(loss=loss, val_accuracy=(np.arange(10, n + 1, 10), accuracy)))
    assert found.failed
    assert "only 3 values, as where all samples get the same answer" in found.message
    several = np.round(1000 * accuracy + rng.integers(-30, 30, n // 10)) / 1000
    found = only(a_run(loss=loss, val_accuracy=(np.arange(10, n + 1, 10), several)))
    assert "only" not in found.message


@pytest.mark.parametrize("seed", range(4))
def test_a_fall_that_begins_and_ends_slowly_is_learning(seed):
    """Warmup, then cosine: a line leaves so much of an S that it looks like slow noise."""
    rng = np.random.default_rng(seed)
    place = np.linspace(0, 1, 120)
    fall = 0.7 / (1 + np.exp(-12 * (place - 0.4)))
    assert only(a_run(loss=1.79 * np.exp(-fall + 0.04 * fall * rng.normal(size=120)))).status == (
        "pass"
    )


def test_a_bound_is_never_above_the_whole_loss():
    rng = np.random.default_rng(4)
    found = only(a_run(loss=1.3 * np.exp(np.cumsum(rng.normal(0, 0.3, 40)))))
    assert found.status is Status.INCONCLUSIVE
    (percent,) = re.findall(r"below ([\d.]+) %", found.message)
    assert float(percent) < 100
