"""The profile ``sagemaker``: rules about losses, by the definitions of SageMaker Debugger."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import PROFILES, all_rules, diagnose
from trainlens.rules.sagemaker.loss_not_decreasing import checks
from trainlens.rules.sagemaker.overtraining import waited

RULES = all_rules("sagemaker")
NAMES = {"loss-not-decreasing", "overfit", "overtraining", "vanishing-gradient",
         "exploding-tensor", "weight-update-ratio", "dead-relu", "saturated-activation",
         "poor-weight-initialization", "unchanged-tensor", "class-imbalance", "stalled-training",
         "low-gpu-utilization", "step-outlier", "all-zero"}  # fmt: skip
BIG = np.iinfo(np.int64).max


def judge(name, run, **settings):
    return RULES[name](run, settings)


def only(name, run, **settings):
    (finding,) = judge(name, run, **settings)
    return finding


def test_the_profile_runs_its_own_rules_and_no_other():
    assert set(RULES) == NAMES
    assert PROFILES["sagemaker"] == ""
    found = diagnose(a_run(loss=np.linspace(2, 1, 50)), profile="sagemaker")
    assert {f.rule for f in found.results} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_titles_name_the_rule_of_the_documentation(name):
    title = RULES[name].title.partition(":")[0]
    assert title.lower().removesuffix("rule") == name.replace("-", "")
    assert "SageMaker Debugger" in RULES[name].source


def test_the_defaults_are_those_of_the_documentation():
    expected = {
        "loss-not-decreasing": {"num_steps": 10, "diff_percent": 0.1,
                                "increase_threshold_percent": 5.0},
        "overfit": {"start_step": 0, "patience": 1, "ratio_threshold": 0.1},
        "overtraining": {"patience_train": 5, "patience_validation": 10, "delta": 0.01},
        "vanishing-gradient": {"threshold": 1e-7},
        "weight-update-ratio": {"large_threshold": 10.0, "small_threshold": 1e-8},
        "dead-relu": {"threshold_inactivity": 1.0, "threshold_layer": 50.0},
        "unchanged-tensor": {"num_steps": 3, "rtol": 1e-5, "atol": 1e-8},
        "class-imbalance": {"threshold_imbalance": 10.0, "samples": 500},
        "stalled-training": {"threshold": 1800.0},
        "step-outlier": {"stddev": 5.0, "n_outliers": 10},
        "all-zero": {"threshold": 100.0},
    }  # fmt: skip
    for name, defaults in expected.items():
        assert RULES[name].defaults == defaults


# --- loss-not-decreasing --------------------------------------------------------------------


def test_the_checks_of_the_documentation():
    """Saved every three steps, num_steps 10: step 21 is held against step 9, then comes 33."""
    step = np.arange(9, 40, 3)
    at, base = checks(step, 10)
    assert step[at].tolist() == [21, 33]
    assert step[base].tolist() == [9, 21]


@pytest.mark.parametrize(("gap", "seed"), [(1, 0), (4, 1), (15, 2), (40, 3)])
def test_the_checks_are_those_of_a_plain_loop(gap, seed):
    step = np.cumsum(np.random.default_rng(seed).integers(1, gap + 1, 200))
    expected, last = [], step[0]
    for s in step:
        if s >= last + 10:
            expected.append((s, max(x for x in step if x <= s - 10)))
            last = s
    at, base = checks(step, 10)
    assert list(zip(step[at].tolist(), step[base].tolist(), strict=True)) == expected


def test_checks_at_the_ends_of_int64():
    assert checks(np.array([-BIG, 0, BIG]), 10) == ([1, 2], [0, 1])
    assert checks(np.array([BIG - 5, BIG]), 10) == ([], [])


@pytest.mark.parametrize(
    ("factor", "status"), [(0.99895, "pass"), (0.99905, "fail"), (1.0, "fail"), (1.02, "fail")]
)
def test_a_loss_must_fall_by_a_tenth_of_a_percent_in_ten_steps(factor, status):
    assert only("loss-not-decreasing", a_run(loss=2 * factor ** (np.arange(101) / 10))
                ).status == status  # fmt: skip


def test_the_first_check_that_fires_and_the_rises():
    value = np.linspace(2, 1, 101)
    value[60:] += 0.5
    found = only("loss-not-decreasing", a_run(loss=value))
    assert (found.first_step, found.evidence["checks"]) == (61, 10)
    assert found.evidence["checks_not_fallen"] == found.evidence["checks_risen"] == 1
    assert "1.5 at step 51 and 1.9 at step 61" in found.message


def test_a_short_log_and_none():
    assert only("loss-not-decreasing", a_run(loss=[3.0] * 10)).status == "inconclusive"
    assert only("loss-not-decreasing", a_run(lr=[3.0] * 10)).status == "skip"


# --- overfit --------------------------------------------------------------------------------


def test_the_ratio_of_validation_and_training():
    train = np.full(6, 1.0)
    assert only("overfit", a_run(loss=train, val_loss=train * 1.09)).status == "pass"
    found = only("overfit", a_run(loss=train, val_loss=[1, 1, 1.11, 1, 1.2, 1]))
    assert (found.status, found.first_step, found.last_step) == ("fail", 3, 5)
    assert found.evidence["evaluations_beyond"] == 2


def test_patience_counts_evaluations_in_a_row():
    run = a_run(loss=np.ones(6), val_loss=[1, 2, 1, 2, 2, 1])
    assert only("overfit", run, patience=2).first_step == 5
    assert only("overfit", run, patience=3).status == "pass"
    assert only("overfit", run, start_step=6).status == "pass"


def test_the_latest_training_loss_before_an_evaluation():
    run = a_run(loss=([1, 8, 15], [4.0, 2.0, 1.0]), val_loss=([0, 10, 20], [9.0, 2.1, 1.3]))
    found = only("overfit", run)
    assert found.evidence["evaluations"] == 2  # step 0 has no training loss before it
    assert (found.first_step, found.evidence["largest_ratio"]) == (20, pytest.approx(0.3))


def test_a_training_loss_below_zero_has_no_ratio():
    assert only("overfit", a_run(loss=[-1.0] * 5, val_loss=[1.0] * 5)).status == "inconclusive"
    assert only("overfit", a_run(loss=[1.0] * 5)).status == "skip"


# --- overtraining ---------------------------------------------------------------------------


def test_patience_of_training_and_of_validation():
    falling = np.linspace(3, 1, 40)
    still = np.concatenate([falling[:20], np.full(20, falling[19])])
    train, val = judge("overtraining", a_run(loss=still, val_loss=falling))
    assert (train.status, train.first_step, train.last_step) == ("fail", 20, 25)
    assert val.status == "pass"
    train, val = judge("overtraining", a_run(loss=falling, val_loss=still))
    assert (val.status, val.first_step, val.last_step) == ("fail", 20, 30)
    assert train.status == "pass"


def test_delta_is_what_a_new_optimum_takes():
    slow = 1 - 0.003 * np.arange(40)  # 0.012 in 4 points, 0.015 in 5
    assert only("overtraining", a_run(loss=slow)).status == "pass"
    assert only("overtraining", a_run(loss=slow), delta=0.02).status == "fail"
    assert only("overtraining", a_run(loss=slow / 10)).status == "fail"


@pytest.mark.parametrize("seed", range(5))
def test_waiting_is_that_of_a_plain_loop(seed):
    value = np.random.default_rng(seed).normal(0, 0.05, 60) + np.linspace(3, 2, 60)
    best, count, expected = np.inf, 0, -1
    for i, v in enumerate(value):
        count = 0 if v < best - 0.01 else count + 1
        best = min(best, v) if count == 0 else best
        if count >= 5:
            expected = i
            break
    assert waited(value.tolist(), 5, 0.01)[1] == expected


# --- exploding-tensor -----------------------------------------------------------------------


def test_a_single_value_that_is_no_number():
    assert only("exploding-tensor", a_run(loss=[1, 2, 3], lr=[1, 1, 1])).status == "pass"
    found = only("exploding-tensor", a_run(loss=[1, 2, 3], grad_norm=[1, np.inf, np.nan]))
    assert (found.status, found.severity, found.first_step) == ("fail", "error", 2)
    assert (found.metric, found.evidence["points_beyond"]) == ("grad_norm", 2)
    only_nan = only("exploding-tensor", a_run(grad_norm=[1, np.inf, np.nan]), only_nan=True)
    assert only_nan.first_step == 3


def test_an_attempt_that_was_started_over_counts():
    run = a_run(loss=([1, 2, 3, 1, 2, 3], [1.0, np.nan, 3.0, 1.0, 2.0, 3.0]))
    assert only("exploding-tensor", run).first_step == 2


# --- unchanged-tensor -----------------------------------------------------------------------


@pytest.mark.parametrize(("change", "status"), [(2e-5, "pass"), (0.9e-5, "fail"), (0.0, "fail")])
def test_three_values_as_close_as_allclose_has_it(change, status):
    value = np.array([5.0, 4.0, 3.0, 3.0 * (1 + change / 2), 3.0 * (1 + change), 2.0, 1.0])
    found = only("unchanged-tensor", a_run(loss=value))
    assert found.status == status
    expected = np.allclose(value[4], value[3], 1e-5) and np.allclose(value[4], value[2], 1e-5)
    assert (status == "fail") == expected
    if expected:
        assert (found.first_step, found.evidence["points_beyond"]) == (5, 1)


def test_weights_that_stay():
    run = a_run(loss=np.linspace(2, 1, 9), **{"weight_norm/a": np.full(9, 3.0),
                                              "weight_norm/b": np.linspace(3, 4, 9)})  # fmt: skip
    found = only("unchanged-tensor", run)
    assert (found.metric, found.first_step) == ("weight_norm/a", 3)
    assert found.evidence["series_beyond"] == 1
    assert only("unchanged-tensor", a_run(loss=[1.0, 1.0])).status == "inconclusive"
