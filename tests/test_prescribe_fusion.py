"""Causes and remedies of a gate that shuts, and of inputs of which too few are valid."""

import numpy as np
import pytest

from tests.cause_runs import N, a_run, found, noise, texts, weighed
from trainlens.prescribe import Case, advise
from trainlens.rules.base import Finding, Severity, Status

BURST = slice(300, 330)
LOW = {"clip_loss.coverage_threshold": 0.6, "clip_loss.soft_gate": True}


def patch(advice):
    held = {}
    for _, one in advice.remedies:
        for key, value in one.items():
            held.setdefault(key, value)
    return held


def coverage(low=0.2, where=BURST):
    value = np.full(N, 0.9) + noise(3)
    value[where] = low
    return value


def spiking():
    value = 1.0 + noise(4)
    value[BURST] = 3.0
    return value


# --- a gate ---------------------------------------------------------------------------------


def test_without_evidence_a_gate_is_opened_and_the_features_are_brought_to_one_scale():
    told = weighed(a_run(alpha_mean=np.full(N, 0.97)), "polarized-gate", 400, metric="alpha_mean")
    assert patch(told) == {
        "alpha_diversity.weight": 0.1, "gate.temperature": 2.0, "model.norm": "layernorm"
    }  # fmt: skip
    assert [str(e) for e in told.expect] == ["end(train/alpha_mean) between 0.1 and 0.9"]


def test_a_consistency_loss_at_full_weight_from_the_first_step_on_is_to_wait():
    run = a_run(alpha_mean=np.full(N, 0.97), w_clip=np.full(N, 0.2), clip_loss=np.full(N, 0.1))
    told = weighed(run, "polarized-gate", 20, metric="alpha_mean")
    (pulled,) = [h for h in told.ranked if "consistency" in h.text]
    assert pulled.because == "w_clip is 0.2 from the first step on"
    asked = patch(told)
    assert asked["clip_loss.warmup_end_progress"] == 0.1
    assert asked["clip_loss.ramp_duration_progress"] == 0.1
    assert asked["clip_loss.gradient_flow_ratio"] == 0.1
    assert asked["groups.clip_backbone"] == 0.1


@pytest.mark.parametrize("weight", [np.linspace(0, 0.2, N), np.zeros(N)])
def test_one_that_rises_or_is_off_is_not_blamed(weight):
    run = a_run(alpha_mean=np.full(N, 0.97), w_clip=weight)
    told = weighed(run, "polarized-gate", 20, metric="alpha_mean")
    assert not any("consistency" in text for text in texts(told))


def test_a_gate_that_shuts_early_follows_the_faster_branch():
    run = a_run(alpha_mean=np.full(N, 0.97))
    early = weighed(run, "polarized-gate", 20, metric="alpha_mean").ranked[0]
    assert early.because == "it was shut at step 20, 3.3 % into the run"
    late = weighed(run, "polarized-gate", 500, metric="alpha_mean")
    assert all(not h.because for h in late.ranked)


def test_a_diversity_term_that_never_acts_is_named():
    run = a_run(alpha_mean=np.full(N, 0.97), alpha_diversity=np.zeros(N))
    told = weighed(run, "polarized-gate", 500, metric="alpha_mean").ranked[0]
    assert told.because == "alpha_diversity is 0 throughout"


@pytest.mark.parametrize(("norm", "asked"), [("none", True), ("layernorm", False)])
def test_layers_that_normalise_already_are_not_asked_for(norm, asked):
    run = a_run({"model": {"norm": norm}, "clipping": {"norm": 1.0}}, alpha_mean=np.full(N, 0.97))
    told = weighed(run, "polarized-gate", 500, metric="alpha_mean")
    assert ("model.norm" in patch(told)) is asked
    assert ("model.norm is none" in [h.because for h in told.ranked]) is asked


# --- coverage -------------------------------------------------------------------------------


def test_the_weight_is_to_follow_where_one_is_logged():
    where = slice(300, 400)
    run = a_run(valid_ratio=coverage(where=where), coverage_weight=np.ones(N))
    told = found(run, "low-coverage")
    assert told.severity is Severity.WARNING
    assert told.prescriptions[0]["patch"] == LOW
    advice = advise(Case(run, (told,)), told)
    assert [str(e) for e in advice.expect] == ["p5(train/coverage_weight) < 0.5"]


def test_without_one_the_coverage_itself_is():
    run = a_run(valid_ratio=100 * coverage(where=slice(300, 400)))
    told = found(run, "low-coverage")
    advice = advise(Case(run, (told,)), told)
    assert [str(e) for e in advice.expect] == ["p10(train/valid_ratio) > 30"]


def test_a_weight_that_follows_already_is_not_asked_for():
    weight = np.ones(N)
    weight[300:400] = 0.02
    run = a_run(valid_ratio=coverage(where=slice(300, 400)), coverage_weight=weight)
    told = found(run, "low-coverage")
    assert told.severity is Severity.INFO
    assert "coverage_weight falls from 1 to 0.02 there" in told.message
    assert [p["patch"] for p in told.prescriptions] == [{}]


# --- a spike --------------------------------------------------------------------------------


def test_a_spike_where_coverage_is_low_is_laid_to_it_and_to_nothing_else():
    run = a_run(loss=spiking(), valid_ratio=coverage(), grad_norm=1 + noise(5))
    told = found(run, "loss-spike")
    assert told.causes[0] == (
        "batches of which few inputs are valid: valid_ratio is 20 % there and 90 % otherwise"
    )
    asked = {key for p in told.prescriptions for key in p["patch"]}
    assert asked == LOW.keys()


def test_percent_are_read_as_such():
    run = a_run(loss=spiking(), valid_ratio=100 * coverage())
    assert "valid_ratio is 20 % there" in found(run, "loss-spike").causes[0]


@pytest.mark.parametrize(
    "value",
    [
        coverage(where=slice(0, 0)),  # never low
        coverage(where=slice(100, 130)),  # low elsewhere
        coverage(where=slice(100, 500)),  # low so often that it proves nothing
        coverage(low=0.5),  # lower, but not low
    ],
)
def test_coverage_that_is_no_lower_there_is_not_blamed(value):
    told = found(a_run(loss=spiking(), valid_ratio=value), "loss-spike")
    assert not any("few inputs" in cause for cause in told.causes)
    assert any("gradient.clip_norm" in p["patch"] for p in told.prescriptions)


def test_where_the_weight_follows_already_the_inputs_remain_to_be_looked_at():
    low = Finding("low-coverage", Status.FAIL, Severity.INFO, "valid_ratio", "train", 300, 329, "x",
                  {"weight_there": 0.02, "weight_elsewhere": 1.0})  # fmt: skip
    spike = Finding("loss-spike", Status.FAIL, Severity.WARNING, "loss", "train", 300, 329, "x")
    run = a_run(loss=spiking(), valid_ratio=coverage())
    told = advise(Case(run, (low, spike)), spike)
    (few,) = [h for h in told.ranked if "few inputs" in h.text]
    assert few.weight < 0.9
    assert not LOW.keys() & patch(told).keys()
