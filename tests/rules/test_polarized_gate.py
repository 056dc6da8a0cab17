"""``polarized-gate``: a gate that stays on one side."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules.base import Severity, Status
from trainlens.rules.polarized_gate import polarized_gate
from trainlens.rules.seed import polarized_gate as seed


def only(**series):
    (finding,) = polarized_gate(a_run(**series))
    return finding


def drift(end, n=400):
    rng = np.random.default_rng(0)
    t = np.clip(np.linspace(0, 2, n), 0, 1)
    return np.clip(0.5 + (end - 0.5) * t + rng.normal(0, 0.02, n), 0, 1)


@pytest.mark.parametrize(("end", "side"), [(0.03, "below 0.1"), (0.97, "above 0.9")])
def test_a_gate_that_settles_on_one_side(end, side):
    found = only(alpha_mean=drift(end))
    assert found.status is Status.FAIL
    assert side in found.message
    assert found.last_step == 400
    assert found.first_step == pytest.approx(190, abs=30)


@pytest.mark.parametrize("end", [0.2, 0.5, 0.85])
def test_a_gate_in_between_passes(end):
    assert only(alpha_mean=drift(end)).status is Status.PASS


def test_a_gate_that_opens_from_zero_is_in_order():
    found = only(alpha_mean=np.concatenate([np.zeros(150), np.full(250, 0.5)]))
    assert found.status is Status.PASS
    assert "began outside" in found.message


def test_a_stretch_in_the_middle_counts():
    value = np.full(400, 0.5)
    value[100:250] = 0.99
    found = only(alpha_mean=value)
    assert found.status is Status.FAIL
    assert (found.first_step, found.last_step) == (
        pytest.approx(101, abs=8),
        pytest.approx(250, abs=8),
    )


def test_an_alpha_that_is_no_gate():
    assert only(alpha=np.full(50, 3.0)).status is Status.SKIP
    assert only(alpha=np.full(50, 0.02), ep_rew_mean=np.arange(50.0)).status is Status.SKIP
    assert only(alpha=np.full(50, 1.0)).severity is Severity.INFO
    assert only(alpha=np.full(50, 1.0), valid_ratio=np.ones(50)).severity is None


def test_few_and_none():
    assert only(gate=[0.01] * 3).status is Status.INCONCLUSIVE
    assert only(loss=[1.0]).status is Status.SKIP


def test_the_seed_profile_counts_every_point():
    (found,) = seed.polarized_gate(a_run(alpha_mean=[0.5, 0.91, 0.5]))
    assert found.failed
    (found,) = seed.polarized_gate(a_run(alpha_mean=[0.1, 0.9]))
    assert not found.failed
