"""``unchanged-parameters``: weights that stay the same to the last bit."""

import numpy as np
import pytest
from layer_runs import N, configured, falling, flat, with_layers
from rule_runs import a_run

from trainlens.rules.unchanged_parameters import unchanged_parameters


def only(run):
    (finding,) = unchanged_parameters(run)
    return finding


def moving(n=N, seed=0):
    return 10 + np.cumsum(0.01 * np.random.default_rng(seed).standard_normal(n))


STILL = np.full(N, 27.712812423706055)


def test_every_norm_stands_still():
    found = only(with_layers("weight_norm", [STILL, STILL + 1], loss=flat()))
    assert (found.status, found.severity) == ("fail", "error")
    assert found.first_step == 1
    # The loss falls: then something changes, behind the digits of a norm.
    assert only(with_layers("weight_norm", [STILL], loss=falling())).severity == "info"


def test_layers_that_never_change_and_those_that_stopped():
    found = only(with_layers("weight_norm", [STILL, moving()], loss=falling()))
    assert (found.severity, "layers.0.weight" in found.message) == ("info", True)
    stopped = moving()
    stopped[200:] = stopped[200]
    run = with_layers("weight_norm", [moving(seed=1), stopped], loss=flat(), lr=np.full(N, 1e-3))
    found = only(run)
    assert (found.severity, found.first_step) == ("warning", 201)
    assert only(configured(run, freeze=["encoder"])).severity == "info"


def test_without_a_learning_rate_nothing_changes():
    rate = np.where(np.arange(N) < 200, 1e-3, 0)
    stopped = moving()
    stopped[200:] = stopped[200]
    assert only(with_layers("weight_norm", [stopped], lr=rate)).status == "pass"
    assert only(with_layers("weight_norm", [STILL], lr=np.zeros(N))).status == "inconclusive"


def test_rounded_norms_and_few_looks():
    assert only(with_layers("weight_norm", [np.full(N, 12.3)])).status == "inconclusive"
    assert only(with_layers("weight_norm", [STILL[:3]])).status == "inconclusive"
    assert only(with_layers("weight_norm", [STILL[:4]], loss=flat())).failed
    assert only(with_layers("weight_norm", [moving()])).status == "pass"
    assert only(a_run(loss=flat())).status == "skip"


@pytest.mark.parametrize(
    ("unchanged", "total", "severity"),
    [(93, 93, "error"), (60, 93, "warning"), (5, 93, "info"), (0.7, None, "warning")],
)
def test_counts_and_shares(unchanged, total, severity):
    more = {"params_total": [total] * 9} if total else {}
    found = only(a_run(unchanged_parameters=[unchanged] * 9, loss=falling(), **more))
    assert (found.status, found.severity) == ("fail", severity)


def test_as_many_as_get_no_gradient_are_meant():
    run = a_run(unchanged_parameters=[81] * 9, params_without_grad=[81] * 9, params_total=[93] * 9)
    assert only(run).severity == "info"
    assert only(a_run(unchanged_parameters=[0] * 9)).status == "pass"
    assert only(a_run(unchanged_parameters=[3] * 2)).status == "inconclusive"


def test_a_loss_that_fell_before_the_weights_stopped_is_no_excuse():
    stopped, loss = moving(), falling()
    stopped[200:] = stopped[200]
    assert only(with_layers("weight_norm", [stopped] * 2, loss=loss)).severity == "info"
    loss[200:] = flat(N - 200, level=loss[199])
    found = only(with_layers("weight_norm", [stopped] * 2, loss=loss))
    assert (found.severity, found.first_step) == ("error", 201)
