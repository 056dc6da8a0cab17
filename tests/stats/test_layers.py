"""Names of layers, their order, joint norms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.stats.layers import (
    in_depth,
    is_weight,
    joint_norm,
    layer_name,
    rank_correlation,
    resolution,
)


@pytest.mark.parametrize(
    ("metric", "layer"),
    [
        ("grad_norm/encoder.0", "encoder.0"),
        ("debug/L2_grad_norm/fc1.weight", "debug/fc1.weight"),
        ("grad_2.0_norm/encoder.layer.0.weight", "encoder.layer.0.weight"),
        ("gradients/encoder.3.weight/norm", "encoder.3.weight"),
        ("grad/blocks.0.att_proj.weight.norm", "blocks.0.att_proj.weight"),
        ("l2_norm/grad/model.layers.0.v", "model.layers.0.v"),
        ("l2_norm/param/model.layers.0.v", "model.layers.0.v"),
        ("dnn/hiddenlayer_0/fraction_of_zero_values", "dnn/hiddenlayer_0"),
        ("zero_fraction/relu1", "relu1"),
        ("saturated_fraction/rnn", "rnn"),
        ("activation_std/block.1", "block.1"),
        ("activations/layer1/std", "layer1"),
        ("Update_Ratio/encoder.weight", "encoder.weight"),
        ("weight_norm/conv1", "conv1"),
        ("class_share/cat", "cat"),
        ("samples_per_class/3", "3"),
        ("update_ratio", ""),
        ("unchanged_parameters", ""),
    ],
)
def test_the_layer_in_a_name(metric, layer):
    assert layer_name(metric) == layer


def test_weights_and_what_goes_with_them():
    assert all(map(is_weight, ("encoder.0", "fc1.weight", "conv1/kernel", "bilinear.w")))
    small = ("fc1.bias", "bn1.weight", "layer_norm", "ln_f.weight", "net.1.beta", "attn.k.b")
    assert not any(map(is_weight, small))


def test_the_order_of_layers():
    logged = ["stem", "layers.10", "layers.9", "head"]
    assert in_depth(logged) == [0, 1, 2, 3]
    assert in_depth(sorted(["l.2.a", "l.10.a", "l.1.a"])) == [0, 2, 1]


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=6))
def test_a_joint_norm_is_the_norm_of_norms(norms):
    found = joint_norm([np.array([x]) for x in norms])
    assert found[0] == pytest.approx(math.hypot(*norms), rel=1e-12)


def test_rank_correlation_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    value = np.random.default_rng(0).permutation(20) + 1.0
    assert rank_correlation(value) == pytest.approx(stats.spearmanr(value, np.arange(20))[0])
    assert rank_correlation(np.ones(5)) == 0.0


@pytest.mark.parametrize("digits", range(5))
def test_resolution_of_rounded_values(digits):
    value = np.random.default_rng(digits).uniform(2 * 10.0**-digits, 50 * 10.0**-digits, 300)
    assert resolution(np.round(value, digits)) == pytest.approx(10.0**-digits)
    assert resolution(value) == 0.0
    assert resolution(np.zeros(9)) == resolution(np.ones(9)) == 0.0
