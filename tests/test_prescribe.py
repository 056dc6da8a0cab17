"""Every fault that a rule can find has causes, something to do with a value, and a check."""

import numpy as np
import pytest

from trainlens.prescribe import prescribe
from trainlens.prescribe.base import advisers
from trainlens.rules import PROFILES, Diagnosis, all_rules
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown


def make_run():
    step = np.arange(100)
    columns = [
        Column(name, step, value, unknown(100), unknown(100))
        for name, value in (("loss", 3 / (1.0 + step)), ("lr", np.full(100, 1e-3)),
                            ("grad_norm", np.full(100, 0.5)))
    ]  # fmt: skip
    return Run("r", "r.jsonl", "jsonl").extend(Chunk(tuple(columns)))


def prescribed(rule, run=None):
    finding = Finding(rule, Status.FAIL, Severity.WARNING, "loss", "train", 10, 20, "x")
    return prescribe(Diagnosis(run or make_run(), (finding,))).results[0]


@pytest.mark.parametrize("rule", sorted(all_rules()))
def test_every_rule_has_advice(rule):
    found = prescribed(rule)
    assert found.causes
    assert found.prescriptions
    assert found.verify
    for text in (*found.causes, found.verify, *(p["text"] for p in found.prescriptions)):
        assert not text.endswith((".", "!"))
        assert "!" not in text


def test_advice_is_for_rules_that_exist():
    assert set(advisers) <= {name for profile in PROFILES for name in all_rules(profile)}


def test_the_learning_rate_of_the_run_is_used():
    found = prescribed("divergence")
    assert {"text": "lower the peak learning rate from 0.001 to 0.0003",
            "patch": {"optimizer.lr": 0.0003}} in found.prescriptions  # fmt: skip


def test_without_a_learning_rate_the_change_is_relative():
    found = prescribed("divergence", Run("r", "", "x"))
    assert any(p["patch"] == {"lr.scale": 0.3} for p in found.prescriptions)


def test_the_clip_limit_comes_from_the_usual_norm():
    assert prescribed("gradient-explosion").prescriptions[0]["patch"] == {"gradient.clip_norm": 1.0}


def test_what_is_no_fault_is_left_alone():
    passed = Finding("divergence", Status.PASS)
    assert prescribe(Diagnosis(make_run(), (passed,))).results == (passed,)


def test_what_a_rule_said_itself_stays():
    own = Finding("divergence", Status.FAIL, Severity.ERROR, causes=("mine",), verify="mine")
    found = prescribe(Diagnosis(make_run(), (own,))).results[0]
    assert (found.causes, found.verify) == (("mine",), "mine")


def test_the_usual_norm_is_the_one_before_the_explosion():
    step = np.arange(100)
    norm = Column("grad_norm", step, np.where(step < 30, 0.5, 400.0), unknown(100), unknown(100))
    run = Run("r", "r", "jsonl").extend(Chunk((norm,)))
    finding = Finding("gradient-explosion", Status.FAIL, Severity.ERROR, "grad_norm", "train", 30)
    patched = prescribe(Diagnosis(run, (finding,))).results[0].prescriptions[0]["patch"]
    assert patched == {"gradient.clip_norm": 1.0}
