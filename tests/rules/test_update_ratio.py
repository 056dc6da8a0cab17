"""``update-ratio``: updates too large or too small for the weights."""

import numpy as np
import pytest
from layer_runs import N, falling, flat, noisy, with_layers
from rule_runs import a_run

from trainlens.rules.update_ratio import update_ratio


def only(run):
    (finding,) = update_ratio(run)
    return finding


COSINE = 0.5 * (1 + np.cos(np.pi * np.arange(N) / N))


def test_large_updates():
    found = only(with_layers("update_ratio", [0.8, 0.8, 0.8, 1e-3]))
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.evidence["layers_beyond"] == 3


@pytest.mark.parametrize(("level", "severity"), [(0.8, "warning"), (0.4, "warning"), (1e-3, "")])
def test_logarithms_to_base_10(level, severity):
    found = only(with_layers("update_ratio", [np.log10(noisy(level, seed=i)) for i in range(3)]))
    assert (found.severity if found.failed else "") == severity


def test_one_large_layer_is_an_information():
    assert only(with_layers("update_ratio", [0.8, 1e-3, 1e-3])).severity == "info"


@pytest.mark.parametrize(("loss", "severity"), [(flat, "warning"), (falling, "info")])
def test_small_updates(loss, severity):
    found = only(with_layers("update_ratio", [1e-7] * 3, loss=loss()))
    assert (found.status, found.severity) == ("fail", severity)


def test_warm_up_and_decay_do_not_count():
    run = with_layers("update_ratio", [noisy(1e-3) * COSINE**4 + 1e-9] * 3, loss=flat(), lr=COSINE)
    assert only(run).status == "pass"
    rise = np.linspace(1e-6, 1, N)
    run = with_layers("update_ratio", [noisy(1e-7) * rise] * 3, loss=flat(), lr=rise)
    assert only(run).status == "inconclusive"


def test_biases_and_frozen_layers_are_left_out():
    bias = {"update_ratio/fc.bias": noisy(5.0), "update_ratio/fc.weight": noisy(1e-3)}
    assert only(a_run(**bias)).status == "pass"
    assert only(with_layers("update_ratio", [np.zeros(N), 1e-3], loss=flat())).status == "pass"


def test_few_none_and_nothing_updated():
    assert only(a_run(update_ratio=[0.5] * 9)).status == "inconclusive"
    assert only(a_run(update_ratio=[0.0] * 50)).status == "inconclusive"
    assert only(a_run(update_ratio=[0.5] * 50)).status == "fail"
    assert only(a_run(loss=flat())).status == "skip"


def test_updates_that_move_nothing_under_a_loss_too_noisy_to_tell():
    loss = noisy(2.0, sigma=0.9)
    assert only(with_layers("update_ratio", [1e-7] * 3, loss=loss)).severity == "warning"
    assert only(with_layers("update_ratio", [9e-6] * 3, loss=loss)).severity == "info"
