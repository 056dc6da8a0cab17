"""The profile ``sagemaker``: rules about layers, gradients, classes."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules

RULES = all_rules("sagemaker")


def judge(name, settings=None, **series):
    return RULES[name](a_run(**series), settings or {})


def only(name, settings=None, **series):
    (finding,) = judge(name, settings, **series)
    return finding


@pytest.mark.parametrize(("least", "status"), [(1.01e-7, "pass"), (0.99e-7, "fail"), (0, "fail")])
def test_a_norm_below_the_limit_at_one_point(least, status):
    found = only("vanishing-gradient", grad_norm=[1, 1, least, 1])
    assert found.status == status
    if status == "fail":
        assert (found.first_step, found.last_step) == (3, 3)
        assert found.evidence["value"] == least


def test_the_layer_that_vanishes_is_named():
    found = only("vanishing-gradient", **{"grad_norm/a": [1, 1], "grad_norm/b": [1, 1e-9]})
    assert found.metric == "grad_norm/b"
    assert found.evidence["series"] == 2
    assert only("vanishing-gradient", loss=[1.0]).status == "skip"


@pytest.mark.parametrize(("ratio", "status"), [(10.0, "pass"), (10.1, "fail"), (1e-8, "pass"),
                                               (0.9e-8, "fail"), (0.0, "fail")])  # fmt: skip
def test_updates_beyond_either_limit(ratio, status):
    found = only("weight-update-ratio", **{"update_ratio/a": [1e-3, ratio, 1e-3]})
    assert found.status == status
    if status == "fail":
        assert found.first_step == 2
        assert found.evidence["limit"] == (10.0 if ratio > 1 else 1e-8)


def test_updates_as_logarithms():
    assert only("weight-update-ratio", update_ratio=[-3.0, -2.5, 0.9]).status == "pass"
    assert only("weight-update-ratio", update_ratio=[-3.0, -8.5]).failed
    assert only("weight-update-ratio", update_ratio=[-3.0, 1.1]).failed


@pytest.mark.parametrize("scale", [1, 100])
def test_more_than_half_of_the_units_dead(scale):
    half = {"zero_fraction/a": np.array([0.1, 0.5]) * scale}
    assert only("dead-relu", **half).status == "pass"
    found = only("dead-relu", **{"zero_fraction/a": np.array([0.1, 0.51, 0.2]) * scale})
    assert (found.status, found.first_step) == ("fail", 2)
    assert found.evidence["value"] == pytest.approx(51.0)


def test_of_single_activations_all_but_one_percent_must_be_zero():
    assert only("dead-relu", **{"dnn/h/fraction_of_zero_values": [0.9, 0.98]}).status == "pass"
    assert only("dead-relu", **{"dnn/h/fraction_of_zero_values": [0.9, 0.995]}).failed
    assert only("dead-relu", loss=[1.0]).status == "skip"


def test_more_than_half_of_the_units_saturated():
    assert only("saturated-activation", **{"saturated_fraction/a": [0.2, 0.5]}).status == "pass"
    assert only("saturated-activation", **{"saturated_fraction/a": [0.2, 0.6]}).failed


@pytest.mark.parametrize(
    ("kind", "low", "high", "status"),
    [
        ("tanh", -9.0, 9.0, "pass"),
        ("tanh", -3.0, 9.6, "inconclusive"),
        ("tanh", 9.6, 12.0, "fail"),
        ("tanh", -12.0, -9.6, "fail"),
        ("sigmoid", -22.9, 16.9, "pass"),
        ("sigmoid", -23.1, 1.0, "inconclusive"),
        ("sigmoid", 17.0, 20.0, "fail"),
        ("sigmoid", -30.0, -23.5, "fail"),
    ],
)
@pytest.mark.parametrize("names", ["layer.0/{}_input/{}", "{}_input_{}", "{}_input/{}/layer.0"])
def test_the_extremes_of_the_inputs(kind, low, high, status, names):
    run = {names.format(kind, "min"): [-1.0, low], names.format(kind, "max"): [1.0, high]}
    assert only("saturated-activation", **run).status == status


def test_extremes_without_a_partner_tell_nothing():
    assert only("saturated-activation", **{"tanh_input/max": [99.0]}).status == "skip"
    assert only("saturated-activation", tanh_minimum_loss=[99.0]).status == "skip"


@pytest.mark.parametrize(("std", "status"), [(3.16, "pass"), (3.17, "fail")])
def test_variances_ten_times_apart(std, status):
    layers = {"activation_std/a": np.ones(20), "activation_std/b": np.full(20, std)}
    found = judge("poor-weight-initialization", **layers)[0]
    assert found.status == status
    assert found.evidence["ratio"] == pytest.approx(std**2)


def test_only_the_first_steps_count():
    late = np.ones(30)
    late[10:] = 9.0
    settings = {"activation_std/a": np.ones(30), "activation_std/b": late}
    assert judge("poor-weight-initialization", **settings)[0].status == "pass"
    assert judge("poor-weight-initialization", {"steps": 11}, **settings)[0].first_step == 11


def test_weights_where_there_are_no_activations():
    weights = {"weight_std/a.weight": np.ones(9), "weight_std/b.weight": np.full(9, 4.0),
               "weight_std/b.bias": np.zeros(9)}  # fmt: skip
    (found,) = judge("poor-weight-initialization", **weights)
    assert found.failed
    assert found.evidence["layers"] == 2


def test_the_spread_of_gradients():
    def spread(width):
        half = np.where(np.arange(20) < 10, width, 0.0) / 2  # only the first ten count
        return only("poor-weight-initialization", **{"grad/a/p5": -half, "grad/a/p95": half}).status

    assert spread(0.0011) == "pass"
    assert spread(0.0009) == "fail"


def test_the_loss_beside_them():
    layers = {"activation_std/a": np.ones(20), "activation_std/b": np.ones(20)}
    falling = np.linspace(3, 2, 20)
    assert [f.status for f in judge("poor-weight-initialization", loss=falling, **layers)] == [
        "pass", "pass"]  # fmt: skip
    stuck = judge("poor-weight-initialization", loss=[3, 2] + [2.5] * 18, **layers)[1]
    assert (stuck.status, stuck.first_step, stuck.last_step) == ("fail", 2, 7)
    assert only("poor-weight-initialization", loss=np.full(20, 3.0)).status == "skip"


@pytest.mark.parametrize(("most", "status"), [(1000, "pass"), (1001, "fail")])
def test_the_ratio_of_class_counts(most, status):
    found = only("class-imbalance", **{"class_count/a": [most], "class_count/b": [100],
                                       "class_count/c": [500]})  # fmt: skip
    assert found.status == status
    assert found.evidence["ratio"] == pytest.approx(most / 100)


def test_counts_add_up_and_few_samples_cannot_tell():
    few = {"class_count/a": [40, 30], "class_count/b": [1, 1]}
    assert only("class-imbalance", **few).status == "inconclusive"
    assert only("class-imbalance", {"samples": 72}, **few).evidence["ratio"] == 35.0
    missing = only("class-imbalance", **{"class_count/a": [600], "class_count/b": [0]})
    assert "none of class b" in missing.message


def test_shares_of_classes():
    assert only("class-imbalance", **{"class_share/a": [0.9], "class_share/b": [0.1]}
                ).status == "pass"  # fmt: skip
    assert only("class-imbalance", **{"class_share/a": [0.95], "class_share/b": [0.05]}).failed
    assert only("class-imbalance", majority_share=[0.95]).failed
    assert only("class-imbalance", majority_share=[0.5]).status == "inconclusive"
    assert only("class-imbalance", loss=[0.5]).status == "skip"


def test_all_zero_by_norm_and_by_share():
    assert only("all-zero", grad_norm=[1.0, 1e-300]).status == "pass"
    found = only("all-zero", grad_norm=[1.0, 0.0, 1.0], **{"weight_norm/a": [1.0, 1.0, 1.0]})
    assert (found.metric, found.first_step) == ("grad_norm", 2)
    assert only("all-zero", **{"h/fraction_of_zero_values": [0.5, 0.999]}).status == "pass"
    assert only("all-zero", **{"h/fraction_of_zero_values": [0.5, 1.0]}).failed
    assert only("all-zero", {"threshold": 99}, **{"h/fraction_of_zero_values": [0.5, 0.99]}).failed
    assert only("all-zero", loss=[0.0]).status == "skip"


def test_what_is_below_zero_is_no_norm():
    assert only("vanishing-gradient", **{"grad_norm/a": [1.0, -4222.0]}).status == "skip"
    assert only("all-zero", **{"weight_norm/a": [1.0, 0.0, -2.0]}).status == "skip"
