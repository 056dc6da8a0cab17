"""``gradient-vanishing``: a gradient that goes while the loss stays."""

import numpy as np
import pytest
from layer_runs import N, falling, flat, noisy, with_layers
from rule_runs import a_run

from trainlens.rules.gradient_vanishing import gradient_vanishing


def only(run):
    (finding,) = gradient_vanishing(run)
    return finding


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("at", [60, 200, 340])
def test_a_norm_that_dies_while_the_loss_stays(scale, at):
    norm, loss = noisy(2.0), falling()
    norm[at:] *= 1e-5
    loss[at:] = flat(N - at, level=loss[at])
    found = only(a_run(loss=loss * scale, grad_norm=norm * scale))
    assert (found.status, found.severity) == ("fail", "error")
    assert found.first_step == pytest.approx(at + 1, abs=12)
    assert found.last_step == N


def test_a_norm_that_shrinks_with_the_loss_is_convergence():
    loss = np.exp(-np.arange(N) / 25) * noisy(1.0, sigma=0.1)
    found = only(a_run(loss=loss, grad_norm=loss * noisy(3.0)))
    assert found.status == "pass"
    assert "converges" in found.message


def test_full_batch_training_at_its_minimum_cannot_be_told():
    error = np.exp(-np.arange(N) / 15)
    found = only(a_run(loss=0.5 + error, grad_norm=np.sqrt(error) + 1e-30))
    assert found.status == "inconclusive"


def test_large_norms_at_the_start_are_no_usual_level():
    norm = noisy(0.05) * (1 + 2e4 * np.exp(-np.arange(N) / 4))
    assert only(a_run(loss=falling(), grad_norm=norm)).status == "pass"


def test_without_a_loss_it_is_not_known():
    norm = noisy(2.0)
    norm[200:] *= 1e-5
    assert only(a_run(grad_norm=norm)).status == "inconclusive"


def test_norms_of_few_decimals_tell_nothing_small():
    norm = np.round(0.02 * np.exp(-np.arange(N) / 30) * noisy(1.0), 2)
    assert only(a_run(loss=falling(), grad_norm=norm)).status == "pass"


@pytest.mark.parametrize("level", [0.0, 1e-8])
def test_nothing_from_the_start_and_a_flat_loss(level):
    found = only(a_run(loss=flat(), grad_norm=noisy(level)))
    assert (found.status, found.severity) == ("fail", "error")
    assert only(a_run(loss=falling(), grad_norm=noisy(1e-8))).status == "pass"
    rising = a_run(loss=flat(), grad_norm=noisy(level), lr=np.linspace(1e-7, 1e-4, N))
    assert only(rising).status == "inconclusive"


@pytest.mark.parametrize(("loss", "severity"), [(flat, "error"), (falling, "info")])
def test_a_gradient_lost_between_layers(loss, severity):
    levels = 0.1 * 10.0 ** np.linspace(-6, 0, 8)
    found = only(with_layers("grad_norm", levels, loss=loss()))
    assert (found.status, found.severity) == ("fail", severity)
    assert "layers.0.weight" in found.message
    assert found.evidence["ratio"] == pytest.approx(1e-6, rel=0.5)


def test_layers_of_any_size_without_an_order_pass():
    levels = 10.0 ** np.random.default_rng(3).uniform(-2, 1, 12)
    assert only(with_layers("grad_norm", levels, loss=flat())).status == "pass"
    # Biases of attention keys have no gradient by construction.
    weights = {f"grad_norm/k.{i}.weight": noisy(0.3, seed=i) for i in range(4)}
    run = with_layers("grad_norm", [1e-12] * 4, names="k.{}.bias", loss=flat(), **weights)
    assert only(run).status == "pass"


def test_few_none_and_no_norm():
    assert only(a_run(grad_norm=np.ones(19))).status == "inconclusive"
    assert only(a_run(loss=flat())).status == "skip"
    assert only(a_run(grad_norm=-np.ones(50))).status == "skip"


def test_means_of_the_epoch_so_far_have_noise():
    norm, loss = noisy(2.0), 0.2 + (1.0 + np.arange(N)) ** -0.4
    norm[200:] *= 1e-6
    rng = np.random.default_rng(1)
    loss[200:] = loss[200] + 0.01 * np.cumsum(rng.standard_normal(N - 200)) / np.arange(1, N - 199)
    assert only(a_run(loss=loss, grad_norm=norm)).failed


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_the_unit_of_the_loss_alone_changes_nothing(scale):
    assert only(a_run(loss=flat() * scale, grad_norm=noisy(0.5))).status == "pass"
    levels = 0.1 * 10.0 ** np.linspace(-6, 0, 8)
    assert only(with_layers("grad_norm", levels, loss=flat() * scale)).severity == "error"
