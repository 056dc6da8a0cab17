"""``poor-initialization``: what the first values of layers tell."""

import numpy as np
import pytest
from layer_runs import N, falling, flat, with_layers
from rule_runs import a_run

from trainlens.rules.poor_initialization import poor_initialization


def first(run):
    return next(iter(poor_initialization(run)))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("decades", "loss", "severity"),
    [(4, falling, "warning"), (1.5, falling, "info"), (1.5, flat, "warning")],
)
def test_activations_that_grow_or_die_with_depth(sign, decades, loss, severity):
    levels = 10.0 ** (sign * np.linspace(0, decades, 8))
    found = first(with_layers("activation_std", levels, sigma=0.05, loss=loss()))
    assert (found.status, found.severity) == ("fail", severity)
    assert ("grow" if sign > 0 else "shrink") in found.message
    assert found.evidence["ratio"] == pytest.approx(10**decades, rel=0.3)


def test_only_the_first_points_count():
    later = [1.0 + i * np.arange(N) for i in range(8)]
    assert first(with_layers("activation_std", later, loss=flat())).status == "pass"


def test_residual_growth_and_disorder_pass():
    assert first(with_layers("activation_std", [1, 1.5, 2, 2.5, 3, 4])).status == "pass"
    assert first(with_layers("activation_std", [1, 30, 0.5, 20, 0.1, 15])).status == "pass"


def test_no_signal_at_all():
    levels = [1.0, 0.5, np.zeros(N), np.zeros(N)]
    found = first(with_layers("activation_std", levels, loss=flat()))
    assert (found.status, found.severity) == ("fail", "warning")


@pytest.mark.parametrize(("loss", "status"), [(falling, "pass"), (flat, "fail")])
def test_weights_of_different_size(loss, status):
    kaiming = [np.sqrt(2 / fan) for fan in (27, 576, 1152, 4608)]
    run = with_layers("weight_std", kaiming, sigma=0.01, loss=loss())
    assert first(run).status == status
    assert first(with_layers("weight_std", [1.0, 1e-4], loss=falling())).severity == "info"


def test_weights_that_are_all_the_same():
    found = first(with_layers("weight_std", [np.zeros(N)] * 3, loss=flat()))
    assert found.severity == "warning"
    # Weights of normalisations start as ones.
    run = with_layers("weight_std", [0.1, 0.1], **{"weight_std/ln_1.weight": np.zeros(N)})
    assert first(run).status == "pass"


def test_a_log_that_begins_late_and_one_without():
    step = np.arange(50_000, 50_000 + N)
    series = {f"activation_std/l{i}": (step, np.full(N, 10.0**i)) for i in range(6)}
    assert first(a_run(**series)).status == "inconclusive"
    assert first(a_run(loss=flat())).status == "skip"
    assert first(a_run(**{"activation_std/a": [1.0]})).status == "inconclusive"


def test_a_bias_that_grows_at_once_hides_nothing():
    levels = 10.0 ** -np.linspace(0, 3.5, 8)
    run = with_layers("activation_std", levels, sigma=0.02, loss=flat())
    later = [level * np.ones(N) for level in levels]
    later[-1][1:] = 0.3
    assert first(with_layers("activation_std", later, loss=falling())).severity == "warning"
    assert first(run).severity == "warning"
    dead = [level * np.ones(N) for level in np.ones(8)]
    dead[-1][0] = 0.0  # not yet written, at the first step
    assert first(with_layers("activation_std", dead, loss=falling())).status == "pass"


def test_a_last_layer_that_starts_at_zero_is_usual():
    levels = [0.15, 0.1, 0.12]
    for last in (1e-4, np.zeros(N)):
        run = with_layers("weight_std", [*levels, last], sigma=0.01, loss=flat())
        assert first(run).status == "pass"
    inner = with_layers("weight_std", [0.15, 1e-4, 0.12], sigma=0.01, loss=flat())
    assert first(inner).severity == "warning"
