"""``gap-growth``: training goes on, validation does not follow."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Status
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
