"""``dead-relu``: units that are always zero."""

import numpy as np
import pytest
from layer_runs import N, falling, flat, with_layers
from rule_runs import a_run

from trainlens.rules.dead_relu import dead_relu


def only(run):
    (finding,) = dead_relu(run)
    return finding


@pytest.mark.parametrize("factor", [1, 100])
def test_dead_layers_by_name(factor):
    found = only(with_layers("zero_fraction", [0.1 * factor, 0.85 * factor, 0.2 * factor],
                             sigma=0.01, loss=falling()))  # fmt: skip
    assert (found.status, found.severity) == ("fail", "warning")
    assert "layers.1.weight" in found.message
    assert found.evidence["dead_layers"] == 1


def test_half_of_the_units_in_half_of_the_layers():
    assert only(with_layers("zero_fraction", [0.6, 0.6, 0.1, 0.1], sigma=0.01)).failed
    assert not only(with_layers("zero_fraction", [0.6, 0.1, 0.1, 0.1], sigma=0.01)).failed


def test_one_of_many_is_an_information_unless_the_loss_is_flat():
    levels = [0.8] + [0.1] * 9
    assert only(with_layers("zero_fraction", levels, sigma=0.01, loss=falling())).severity == "info"
    assert only(with_layers("zero_fraction", levels, sigma=0.01, loss=flat())).severity == "warning"
    every = with_layers("zero_fraction", [0.9] * 3, sigma=0.01, loss=flat())
    assert only(every).severity == "error"


def test_when_it_began():
    value = np.where(np.arange(N) < 150, 0.1, 0.9)
    assert only(with_layers("zero_fraction", [value, 0.1], sigma=0.01)).first_step == 151


def test_healthy_and_sparse():
    assert only(with_layers("zero_fraction", [0.3] * 5, sigma=0.05)).status == "pass"
    sparse = {f"dnn/h{i}/fraction_of_zero_values": np.full(9, 0.9) for i in range(3)}
    assert only(a_run(**sparse)).status == "pass"
    gone = {f"dnn/h{i}/fraction_of_zero_values": np.full(9, 0.999) for i in range(3)}
    assert only(a_run(**gone)).status == "fail"


def test_a_single_number_for_the_model():
    found = only(a_run(zero_fraction=[0.8] * 9))
    assert found.status == "fail"
    assert "model as a whole" in found.message


def test_few_none_and_no_share():
    assert only(a_run(zero_fraction=[0.8] * 2)).status == "inconclusive"
    assert only(a_run(zero_fraction=[-1.0] * 9)).status == "skip"
    assert only(a_run(loss=flat())).status == "skip"
