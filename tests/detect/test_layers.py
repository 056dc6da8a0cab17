"""What the rules about layers ask of a run."""

import numpy as np
import pytest

from trainlens.detect.layers import (
    fate_of_loss,
    gradient_norm,
    layers,
    learning_rate_at,
    plans_freezing,
    setting,
)
from trainlens.run import Chunk, Column, Run, unknown


def a_run(config=None, **series):
    columns = [
        Column(name, np.arange(len(v)), np.asarray(v, float), unknown(len(v)), unknown(len(v)))
        for name, v in series.items()
    ]
    return Run("r", "r", "x", config=config or {}).extend(Chunk(tuple(columns)))


def test_the_total_is_the_main_norm_and_no_layer():
    run = a_run(**{"grad_norm/a": [1.0], "grad_norm": [9.0], "grad_norm/b": [2.0]})
    assert run.main("gradient-norm").metric == "grad_norm"
    assert gradient_norm(run).value.tolist() == [9.0]
    assert [x.name for x in layers(run, "gradient-norm")] == ["a", "b"]


def test_without_a_total_the_layers_are_put_together():
    found = gradient_norm(a_run(**{"grad_norm/a": [3.0, 0.0], "grad_norm/b": [4.0, 2.0]}))
    assert found.value.tolist() == [5.0, 2.0]
    assert found.metric == "grad_norm of 2 layers"
    assert gradient_norm(a_run(**{"grad_norm/a": [3.0]})).metric == "grad_norm/a"
    assert gradient_norm(a_run(loss=[1.0])) is None


def test_what_became_of_the_loss():
    rng = np.random.default_rng(0)
    noise = np.exp(0.01 * rng.standard_normal(200))
    assert fate_of_loss(a_run(loss=noise)) == "flat"
    assert fate_of_loss(a_run(loss=noise * np.linspace(2, 1, 200))) == "fell"
    assert fate_of_loss(a_run(loss=noise[:5])) == ""
    assert fate_of_loss(a_run(loss=noise, ep_rew_mean=noise)) == ""
    assert fate_of_loss(a_run(lr=noise)) == ""


def test_the_learning_rate_as_share_of_its_peak():
    run = a_run(lr=[0.0, 2.0, 1.0], x=[1.0, 1.0, 1.0])
    assert learning_rate_at(run, run["x"]).tolist() == [0.0, 1.0, 0.5]
    assert learning_rate_at(a_run(x=[1.0]), run["x"]).tolist() == [1.0, 1.0, 1.0]
    assert not learning_rate_at(a_run(lr=[0.0, 0.0]), run["x"]).any()


@pytest.mark.parametrize(
    ("config", "planned"),
    [
        ({"progressive_freeze": {"enabled": True}}, True),
        ({"VIDEO_ENCODER": {"freeze_backbone": True}}, True),
        ({"freeze": []}, False),
        ({"freezing": {"stages": {}, "norms": "hold"}}, False),
        ({"freeze_backbone": "False"}, False),
        ({}, False),
    ],
)
def test_settings_that_speak_of_freezing(config, planned):
    assert plans_freezing(a_run(config)) is planned


def test_a_number_among_nested_settings():
    run = a_run({"data": {"train": {"batch_size": 32}}, "shuffle": True})
    assert setting(run, r"(train_)?batch_?size") == 32
    assert setting(run, "shuffle") is None
