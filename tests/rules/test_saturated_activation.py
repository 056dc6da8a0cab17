"""``saturated-activation``: activations at their limits."""

import numpy as np
from layer_runs import N, falling, flat, with_layers
from rule_runs import a_run

from trainlens.rules.saturated_activation import saturated_activation


def only(run):
    (finding,) = saturated_activation(run)
    return finding


def layers(levels, **more):
    return with_layers("saturated_fraction", levels, sigma=0.02, **more)


def test_saturated_layers():
    found = only(layers([0.8, 0.7, 0.1], loss=falling()))
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.evidence["saturated_layers"] == 2
    assert only(layers([80.0, 70.0, 10.0])).failed


def test_one_of_many():
    levels = [0.8, 0.1, 0.1, 0.1]
    assert only(layers(levels, loss=falling())).severity == "info"
    assert only(layers(levels, loss=flat())).severity == "warning"
    assert only(layers([0.3] * 4)).status == "pass"


def test_outputs_and_gates_may_be_sure_of_themselves():
    gates = {"saturated_fraction/lstm.forget_gate": np.full(9, 0.9),
             "saturated_fraction/output": np.full(9, 0.95)}  # fmt: skip
    assert only(a_run(**gates, **{"saturated_fraction/h": np.full(9, 0.1)})).status == "pass"


def test_when_it_began():
    value = np.where(np.arange(N) < 150, 0.1, 0.9)
    assert only(layers([value])).first_step == 151


def test_few_and_none():
    assert only(a_run(saturated_fraction=[0.9] * 2)).status == "inconclusive"
    assert only(a_run(saturated_fraction=[0.9] * 9)).status == "fail"
    assert only(a_run(loss=flat())).status == "skip"
