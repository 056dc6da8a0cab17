"""``frozen-parameters``: parameters that get no gradient."""

import numpy as np
import pytest
from layer_runs import N, configured, falling, flat, noisy, with_layers
from rule_runs import a_run

from trainlens.rules.frozen_parameters import frozen_parameters


def only(run):
    (finding,) = frozen_parameters(run)
    return finding


def counted(value, total=93.0, loss=falling):
    value = np.asarray(value, float)
    return a_run(params_with_grad=value, params_total=np.full(len(value), total), loss=loss())


def test_no_parameter_with_a_gradient():
    found = only(counted(np.zeros(3)))
    assert (found.status, found.severity) == ("fail", "error")
    assert "No parameter" in found.message
    assert only(a_run(params_with_grad=[0.0])).severity == "error"


def test_all_and_a_part():
    assert only(counted(np.full(9, 93))).status == "pass"
    found = only(counted(np.full(9, 12)))
    assert (found.status, found.severity) == ("fail", "info")
    assert found.evidence["total"] == 93
    assert only(counted(np.full(9, 12), loss=flat)).severity == "warning"


def test_the_total_may_be_the_sum():
    run = a_run(params_with_grad=[12.0] * 9, params_without_grad=[81.0] * 9)
    assert only(run).evidence["total"] == 93


def test_progressive_unfreezing_passes():
    found = only(counted(np.repeat([12, 40, 93], 10)))
    assert found.status == "pass"
    assert "unfreezing" in found.message


def test_fewer_than_before():
    run = counted(np.repeat([93, 12], [30, 20]))
    found = only(run)
    assert (found.severity, found.first_step) == ("warning", 31)
    assert only(configured(run, freeze_backbone=True)).severity == "info"


def test_parts_used_by_turns_are_no_loss():
    rng = np.random.default_rng(0)
    for _ in range(20):
        run = counted(93 - rng.integers(0, 30, 60))
        assert only(run).severity == "info"


def test_a_norm_of_exactly_zero():
    norm = noisy(1.0)
    norm[250:] = 0
    found = only(a_run(grad_norm=norm, loss=flat(), lr=np.full(N, 1e-3)))
    assert (found.severity, found.first_step, found.last_step) == ("error", 251, N)
    rate = np.where(np.arange(N) < 250, 1e-3, 0)
    assert only(a_run(grad_norm=norm, loss=flat(), lr=rate)).status == "pass"
    norm[300:] = 1.0
    assert only(a_run(grad_norm=norm, loss=flat())).severity == "warning"


def test_zeros_that_mean_something_else():
    norm = noisy(1.0)
    norm[:12] = 0  # a loss scale that is too large at first
    assert only(a_run(grad_norm=norm, loss=falling())).status == "pass"
    norm[200:] = 0
    loss = np.linspace(2, 1, N)
    found = only(a_run(grad_norm=norm, loss=loss))
    assert found.severity == "info"
    assert "cleared" in found.message
    solved = np.where(np.arange(N) < 200, loss, 0)
    assert only(a_run(grad_norm=norm, loss=solved)).status == "pass"
    few = np.round(noisy(0.02), 2)
    few[200:] = 0
    assert only(a_run(grad_norm=few, loss=flat())).status == "inconclusive"


def test_layers_by_name():
    gone, never = noisy(1.0), np.zeros(N)
    gone[200:] = 0
    found = only(with_layers("grad_norm", [gone, 1.0, 1.0], loss=falling()))
    assert (found.severity, found.first_step) == ("warning", 201)
    assert "layers.0.weight" in found.message
    assert only(with_layers("grad_norm", [never, 1.0], loss=falling())).severity == "info"
    assert only(with_layers("grad_norm", [never, 1.0], loss=flat())).severity == "warning"
    later = noisy(1.0)
    later[:200] = 0
    faults = [f for f in frozen_parameters(with_layers("grad_norm", [later, 1.0])) if f.failed]
    assert not faults


def test_nothing_logged():
    assert only(a_run(loss=flat())).status == "skip"
    assert only(a_run(grad_norm=np.zeros(5))).status == "inconclusive"


@pytest.mark.parametrize("points", [1, 2, 3])
def test_first_looks_are_no_fault(points):
    assert only(counted(np.full(points, 93))).status == "pass"
