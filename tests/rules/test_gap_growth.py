"""``gap-growth``: training goes on, validation does not follow."""

import numpy as np
import pytest
from rule_runs import a_run

import trainlens
from trainlens.expectation import measure
from trainlens.prescribe import Case, advise
from trainlens.rules.base import Severity, Status
from trainlens.rules.gap_growth import gap_growth

STEP = np.arange(1, 1001)
AT = np.arange(25, 1001, 25)


def only(run):
    (finding,) = gap_growth(run)
    return finding


def pair(val, train, sigma=0.01, seed=0, at=AT):
    rng = np.random.default_rng(seed)
    return a_run(
        loss=train * np.exp(rng.normal(0, sigma, len(train))),
        val_loss=(at, val * np.exp(rng.normal(0, sigma, len(val)))),
    )


FALLING = 0.2 + 0.8 * np.exp(-STEP / 400)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_validation_flat_while_training_falls(scale):
    val = np.where(AT < 300, FALLING[AT - 1], FALLING[299])
    found = only(pair(val * scale, FALLING * scale))
    assert found.status is Status.FAIL
    assert found.evidence["gap_share_after"] > found.evidence["gap_share_before"]
    assert found.evidence["gap_share_after"] == pytest.approx(
        1 - FALLING[-1] / FALLING[299], abs=0.05
    )


@pytest.mark.parametrize("gap", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_constant_gap_is_steady(gap, seed):
    assert only(pair(FALLING[AT - 1] + gap, FALLING, seed=seed)).status is Status.PASS


def test_both_flat_is_steady():
    assert only(pair(np.full(len(AT), 0.6), np.full(1000, 0.5))).status is Status.PASS


def test_rising_validation_is_overfitting():
    val = np.where(AT < 300, FALLING[AT - 1], FALLING[299] * (1 + (AT - 300) / 1000))
    found = only(pair(val, FALLING))
    assert found.status is Status.SKIP
    assert "overfitting" in found.message


def test_a_gap_that_closes_from_below_is_fine():
    assert only(pair(np.full(len(AT), 0.2), FALLING)).status is not Status.FAIL


def test_metrics_with_a_direction():
    train = np.linspace(0.5, 0.99, 40)
    run = a_run(accuracy=train, val_accuracy=np.minimum(train, 0.7))
    assert only(run).status is Status.FAIL


def test_matching_needs_the_same_steps():
    far = pair(np.full(len(AT), 0.5), FALLING, at=AT + 50_000)
    assert only(far).status is Status.INCONCLUSIVE
    assert only(far).evidence["matched"] == 0


def test_reasons_to_skip():
    assert only(a_run(loss=FALLING)).message == "no validation loss in this log"
    assert only(a_run(val_loss=FALLING)).message == "no training loss in this log"


@pytest.mark.parametrize(("end", "severity"), [(0.55, None), (0.1, "warning")])
def test_only_a_gap_that_widens_by_much_is_a_warning(end, severity):
    found = only(pair(np.full(len(AT), 0.8), np.linspace(0.75, end, 1000)))
    assert found.status is Status.FAIL
    assert found.severity == severity


def told(run):
    return next(f for f in trainlens.diagnose(run).findings if f.rule == "gap-growth")


def dropped(gap, rate, seed=0, noise=0.1):
    """Validation behind training by a share of its level, under a dropout rate."""
    val = FALLING[AT - 1] / (1 - gap)
    noisy = np.exp(np.random.default_rng(seed).normal(0, noise, len(AT)))
    return a_run(loss=FALLING, val_loss=(AT, val * noisy), dropout_rate=np.broadcast_to(rate, 1000))


LATE = np.where(STEP < 170, 0.0, 0.1)


@pytest.mark.parametrize("seed", range(6))
def test_a_gap_that_was_there_from_the_start_is_a_note_under_dropout(seed):
    found = told(dropped(0.4, 0.1, seed))
    assert found.severity is Severity.INFO
    assert "dropout acts from the first step (rate 0.1)" in found.message
    assert found.evidence["gap_share_early"] == pytest.approx(0.4, abs=0.12)
    assert (found.first_step, found.last_step) == (25, 200)


@pytest.mark.parametrize(("gap", "rate"), [(0.4, 0.0), (0.4, LATE), (0.05, 0.1)])
def test_no_such_note_without_dropout_with_a_late_one_or_without_a_gap(gap, rate):
    assert only(dropped(gap, rate, noise=0.02)).status is Status.PASS


def test_the_note_asks_for_a_late_start_of_dropout():
    run = dropped(0.4, 0.1, noise=0.001)
    found = told(run)
    patches = [one["patch"] for one in found.prescriptions if one["patch"]]
    assert patches == [{"dropout.start": 167, "dropout.target": 0.1}]
    (expected,) = advise(Case(run), found).expect
    now = measure(run, expected)[0].value
    assert not expected.met(now)
    assert expected.met(0.94 * now)


def test_a_smaller_gap_is_expected_only_where_evaluations_would_show_it():
    run = dropped(0.4, 0.1, noise=0.3)
    advice = advise(Case(run), told(run))
    assert advice.expect == ()
    assert advice.unmeasured == "the evaluations scatter more than a smaller gap would show"
