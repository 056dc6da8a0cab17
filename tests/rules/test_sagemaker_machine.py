"""The profile ``sagemaker``: rules about times and the GPU, and advice on all of them."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.prescribe import Case, advise
from trainlens.prescribe.vocabulary import problem
from trainlens.rules import all_rules
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

RULES = all_rules("sagemaker")
START = 1.7e9


def only(name, run, **settings):
    (finding,) = RULES[name](run, settings)
    return finding


def timed(*times):
    columns = [
        Column(name, np.arange(1, len(t) + 1), np.ones(len(t)), START + np.array(t, float),
               unknown(len(t)))
        for name, t in zip(("loss", "val_loss"), times, strict=False)
    ]  # fmt: skip
    return Run("r", "r", "x").extend(Chunk(tuple(columns)))


@pytest.mark.parametrize(("gap", "status"), [(1800, "pass"), (1801, "fail")])
def test_half_an_hour_without_a_record(gap, status):
    found = only("stalled-training", timed([0, 10, 20, 20 + gap, 30 + gap]))
    assert found.status == status
    assert found.evidence["longest_seconds"] == gap
    if status == "fail":
        assert (found.first_step, found.last_step) == (3, 4)


def test_any_series_ends_a_gap():
    apart = [0, 1000, 4000]
    assert only("stalled-training", timed(apart)).failed
    assert only("stalled-training", timed(apart, [2500])).status == "pass"
    assert only("stalled-training", a_run(loss=[1.0, 2.0])).status == "skip"
    assert only("stalled-training", timed([5])).status == "inconclusive"


def gpu(value, name="gpu_util", kind=""):
    n = len(value)
    column = Column(name, np.arange(n), np.asarray(value, float), unknown(n), unknown(n), kind=kind)
    return Run("r", "r", "x").extend(Chunk((column,)))


@pytest.mark.parametrize("scale", [1, 100])
def test_low_and_fluctuating(scale):
    rng = np.random.default_rng(0)
    busy = rng.uniform(0.8, 1.0, 400)
    assert only("low-gpu-utilization", gpu(busy * scale)).status == "pass"
    idle = only("low-gpu-utilization", gpu(busy * 0.6 * scale))
    assert (idle.status, idle.last_step) == ("fail", 399)
    assert idle.evidence["p95"] == pytest.approx(59.3, abs=1)
    wild = busy * scale
    wild[::10] = 0.0
    assert "off and on" in only("low-gpu-utilization", gpu(wild)).message


def test_windows_and_patience():
    value = np.full(2000, 95.0)
    value[:1000] = 30.0
    found = only("low-gpu-utilization", gpu(value))
    assert (found.evidence["windows"], found.evidence["windows_beyond"]) == (4, 2)
    assert only("low-gpu-utilization", gpu(value), patience=1000).status == "pass"
    assert only("low-gpu-utilization", gpu(value[:9])).status == "inconclusive"


@pytest.mark.parametrize("name", ["gpu", "gpu.0.gpu", "system.gpu.3.gpu", "__system__gpu"])
def test_names_of_other_tools(name):
    found = only("low-gpu-utilization", gpu(np.full(50, 20.0), name, "system"))
    assert found.status == "fail"
    assert found.first_step is None  # readings count themselves


def test_memory_is_no_utilisation():
    assert only("low-gpu-utilization", gpu(np.full(50, 20.0), "gpu.0.memory", "system")
                ).status == "skip"  # fmt: skip
    assert only("low-gpu-utilization", gpu(np.full(50, -3.0))).status == "skip"


def test_more_than_ten_outliers_of_five_sigma():
    rng = np.random.default_rng(0)
    usual = rng.normal(1.0, 0.01, 2000)

    def slow(count):
        value = usual.copy()
        value[100 : 100 + 50 * count : 50] = 3.0
        return only("step-outlier", a_run(batch_time=value))

    assert slow(10).status == "pass"
    found = slow(11)
    assert (found.status, found.first_step, found.last_step) == ("fail", 101, 601)
    assert found.evidence["points_beyond"] == 11
    assert only("step-outlier", a_run(batch_time=np.full(99, 0.3))).status == "pass"
    assert only("step-outlier", a_run(loss=[1.0])).status == "skip"


NEW = sorted((set(all_rules("sagemaker")) | set(all_rules("seed"))) - set(all_rules()))


@pytest.mark.parametrize("name", NEW)
def test_every_rule_of_a_profile_has_advice(name):
    runs = (Run("r", "", "x"), a_run(loss=np.ones(50), val_loss=np.ones(50), lr=np.full(50, 1e-4),
                                     grad_norm=np.full(50, 5.0)))  # fmt: skip
    for run in runs:
        for evidence in ({}, {"best_step": 3.0, "best": 1.0, "worst": 50.0, "high": 10.0,
                              "median": 1e-9, "limit": 1e-8}):  # fmt: skip
            found = Finding(name, Status.FAIL, Severity.WARNING, "loss", "train", 5, 9, "So.",
                            evidence)  # fmt: skip
            advice = advise(Case(run, (found,)), found)
            assert advice is not None, f"no adviser for {name}"
            assert advice.told
            assert advice.verify
            assert not [p for _, patch in advice.remedies for k, v in patch.items()
                        if (p := problem(k, v))]  # fmt: skip
