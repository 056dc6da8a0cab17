"""No prescription speaks of a setting that trainlens_torch's configuration will not have."""

import numpy as np
import pytest

from trainlens.prescribe import Case, Expectation, advise
from trainlens.prescribe.vocabulary import VOCABULARY, problem
from trainlens.rules import all_rules
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

N = 400
STEP = np.arange(N)
NUMBERS = {"best_step": 100.0, "best": 0.5, "baseline": 1.0, "peak": 3.0, "z": 9.0, "level": 2.302,
           "classes": 10.0, "drop": 0.0, "before": 1.0, "value": 2.0, "growth": 0.5,
           "recovered_step": 220.0, "samples": 500.0, "noise": 0.1, "share": 0.1,
           "rate_share_at_onset": 0.05, "gap_share_after": 0.3, "ratio": 12.0,
           "first_layer": 1e-9, "usual": 1.0, "majority": 0.95, "planned": 1000.0}  # fmt: skip


def a_run(config=None, **series):
    columns = [
        Column(n.replace("__", "/"), STEP, np.broadcast_to(v, N).astype(float), unknown(N),
               unknown(N))
        for n, v in series.items()
    ]  # fmt: skip
    return Run("r", "r", "synthetic").extend(Chunk(tuple(columns), config or {}))


def cases():
    falling = 3 / (1.0 + STEP)
    broken = np.where(STEP < 150, 1.0, np.nan)
    yield "nothing", Run("r", "", "x")
    yield "bare", a_run(loss=falling)
    yield "usual", a_run({"batch_size": 64, "max_steps": 1000}, loss=falling, val_loss=falling + 1,
                         val_accuracy=0.1, lr=1e-4, grad_norm=0.5, batch_time=1.0,
                         data_time=0.1, batch_classes=6)  # fmt: skip
    jumped = np.where(STEP < 195, 1e-4, 1e-3)
    yield "sick", a_run(
        {"max_grad_norm": 0.1, "weight_decay": 0, "freeze": True}, loss=np.where(STEP < 200, 2, 9),
        lr=jumped, grad_norm=np.where(STEP == 197, 50.0, 1.0), norm_mean=broken, stage=STEP // 198,
        loss_scale=np.where(STEP < 198, 65536.0, 1.0), val_accuracy=np.where(STEP < 200, 0.9, 0),
        params_with_grad=0, majority_share=0.97, batch_classes=1,
        batch_time=np.where(STEP == 200, 9.0, 1.0), data_time=np.where(STEP == 200, 8.0, 0.1),
    )  # fmt: skip
    yield "no rate", a_run(loss=2.0, lr=0.0, grad_norm=0.0)
    yield "tiny", a_run(loss=2.302, lr=1e-10, grad_norm=1e-12)


def findings(rule):
    train = [(m, "train") for m in ("loss", "grad_norm", "batch_time", "lr")]
    for metric, split in (*train, ("loss", "val"), ("accuracy", "val"), ("", "")):
        for first, last in ((200, 220), (None, None), (0, 0)):
            for evidence in (NUMBERS, {}):
                yield Finding(rule, Status.FAIL, Severity.ERROR, metric, split, first, last,
                              "It is so. And so.", evidence)  # fmt: skip


@pytest.mark.parametrize("rule", sorted(all_rules()))
def test_every_adviser_keeps_to_the_vocabulary(rule):
    for name, run in cases():
        for finding in findings(rule):
            advice = advise(Case(run, (finding,)), finding)
            assert advice is not None, f"{rule} has no adviser"
            for text, patch in advice.remedies:
                assert text
                bad = [p for k, v in patch.items() if (p := problem(k, v))]
                assert not bad, f"{rule} on {name}: {bad}"
            for expectation in advice.expect:
                assert Expectation.of(expectation.mapping) == expectation
            for hypothesis in advice.ranked:
                assert 0 <= hypothesis.weight <= 1
                assert not hypothesis.told.endswith(".")


@pytest.mark.parametrize("rule", sorted(all_rules()))
def test_every_adviser_stands_odd_runs(rule):
    big = np.iinfo(np.int64).max
    odd = np.array([-np.inf, np.nan, 0.0, 1e308, -1e308, np.inf, 1e-308, 0.0] * 10)
    for step in (np.arange(80), np.zeros(80), big - 80 + np.arange(80, dtype=np.int64),
                 np.tile(np.arange(20), 4)):  # fmt: skip
        columns = [
            Column(n, np.asarray(step, np.int64), odd, unknown(80), unknown(80))
            for n in ("loss", "val_loss", "val_accuracy", "lr", "grad_norm", "loss_scale", "stage",
                      "batch_time", "data_time", "batch_classes", "epoch", "params_with_grad")
        ]  # fmt: skip
        run = Run("r", "r", "x").extend(Chunk(tuple(columns)))
        for finding in findings(rule):
            advice = advise(Case(run, (finding,)), finding)
            assert advice is not None
            assert advice.told


def test_the_vocabulary_says_what_is_wrong():
    assert problem("optimizer.lr", 3e-4) == ""
    assert problem("optimiser.lr", 3e-4) == "optimiser.lr: no such setting"
    assert problem("optimizer.lr", float("nan")) == "optimizer.lr: nan is no number above 0"
    assert (
        problem("loader.prefetch", True) == "loader.prefetch: True is no whole number of 1 or more"
    )
    assert problem("data.skip_steps", [9, 3]).endswith("is no list of a first and a last step")
    assert problem("precision", "int4") == "precision: 'int4' is none of fp32, tf32, bf16, fp16"


def test_every_setting_is_explained():
    for name, setting in VOCABULARY.items():
        assert setting.meaning, name
        assert setting.config, name
