"""What holds for every registered rule, in every profile."""

import math
import re

import numpy as np
import pytest

from trainlens.rules import PROFILES, all_rules, diagnose
from trainlens.rules.base import Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

NAMES = ("loss", "val_loss", "val_accuracy", "val_mpjpe", "lr", "grad_norm", "batch_time",
         "valid_ratio", "alpha_mean", "epoch")  # fmt: skip
BIG = np.iinfo(np.int64).max


def make_run(step, value, names=NAMES):
    step = np.asarray(step, np.int64)
    value = np.asarray(value, np.float64)
    columns = [Column(n, step, value, unknown(len(step)), unknown(len(step))) for n in names]
    return Run("r", "r", "jsonl").extend(Chunk(tuple(columns)))


def odd_runs():
    rng = np.random.default_rng(0)
    steps = np.arange(200)
    noise = rng.standard_normal(200)
    yield "no series", Run("r", "r", "jsonl")
    yield "no point", make_run([], [])
    yield "one point", make_run([7], [1.0])
    yield "two points", make_run([7, 8], [1.0, 0.5])
    yield "constant", make_run(steps, np.ones(200))
    yield "zeros", make_run(steps, np.zeros(200))
    yield "all NaN", make_run(steps, np.full(200, np.nan))
    yield "all infinite", make_run(steps, np.full(200, np.inf))
    yield "one step", make_run(np.zeros(200), noise)
    yield "unsorted", make_run(rng.permutation(200), noise + 5)
    yield "repeated", make_run(np.repeat(np.arange(20), 10), noise + 5)
    yield "negative steps", make_run(steps - 100, noise + 5)
    yield "huge steps", make_run(BIG - 200 + steps, noise + 5)
    yield "extreme steps", make_run([-BIG, 0, BIG], [1.0, 2.0, 3.0])
    yield "negative values", make_run(steps, noise - 50)
    yield "crossing zero", make_run(steps, noise)
    yield "tiny", make_run(steps, (noise + 10) * 1e-300)
    yield "huge", make_run(steps, (noise + 10) * 1e300)
    yield "validation only", make_run(steps, noise + 5, ("val_loss",))
    yield "NaN here and there", make_run(steps, np.where(steps % 7 == 0, np.nan, noise + 5))
    yield "restarts", make_run(np.tile(np.arange(50), 4), noise + 5)
    yield "mixed extremes", make_run(steps, np.where(steps % 2 == 0, 1e308, -1e308))


RULES = [(p, n) for p in PROFILES for n in all_rules(p)]
ODD = list(odd_runs())


@pytest.mark.parametrize(("profile", "name"), RULES)
@pytest.mark.parametrize(("what", "run"), ODD, ids=[w for w, _ in ODD])
def test_odd_runs_give_plain_findings(profile, name, what, run):
    for finding in all_rules(profile)[name](run):
        assert finding.rule == name
        assert isinstance(finding.severity, Severity)
        assert isinstance(finding.status, Status)
        assert finding.message
        assert 0 <= finding.confidence <= 1
        assert all(isinstance(v, int | float) for v in finding.evidence.values()), finding.evidence
        for step in (finding.first_step, finding.last_step):
            assert step is None or isinstance(step, int)
        if finding.first_step is not None and finding.last_step is not None:
            assert finding.first_step <= finding.last_step


@pytest.mark.parametrize(("profile", "name"), RULES)
def test_advice_is_written(profile, name):
    rule = all_rules(profile)[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert len(rule.advice.splitlines()) > 2, "a title and what to know"
    assert rule.title[0].isupper()
    assert rule.source, "where the method or the threshold comes from"
    assert set(rule.requires) <= set(all_rules(profile))


@pytest.mark.parametrize(("profile", "name"), RULES)
def test_a_rule_judges_the_same_twice_and_changes_nothing(profile, name):
    rng = np.random.default_rng(1)
    run = make_run(np.arange(300), np.exp(rng.standard_normal(300) * 0.05) * 3)
    before = {k: (s.step.copy(), s.value.copy()) for k, s in run.series.items()}
    assert all_rules(profile)[name](run) == all_rules(profile)[name](run)
    for key, (step, value) in before.items():
        assert np.array_equal(run.series[key].step, step)
        assert np.array_equal(run.series[key].value, value)


@pytest.mark.parametrize("name", all_rules())
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_default_profile_knows_no_unit_of_a_loss(name, factor):
    """Multiplying every loss by a constant changes no verdict."""
    rng = np.random.default_rng(2)
    n = 600
    loss = 3 * (1 + np.arange(n)) ** -0.3 * np.exp(0.03 * rng.standard_normal(n))
    loss[400:406] *= 3
    validation = loss * np.linspace(1, 1.6, n)

    def judged(scale):
        run = make_run(np.arange(n), loss * scale, ("loss",))
        step = np.arange(0, n, 20)
        column = Column("val_loss", step, validation[::20] * scale, unknown(30), unknown(30))
        run = run.extend(Chunk((column,)))
        return [(f.status, f.severity, f.first_step, f.last_step) for f in all_rules()[name](run)]

    assert judged(1.0) == judged(factor)


def test_the_names_of_the_design_are_there():
    needed = {"non-finite", "loss-spike", "divergence", "stagnation", "never-learned",
              "overfitting", "gap-growth", "validation-jump", "gradient-explosion", "slow-batch",
              "low-coverage", "polarized-gate", "step-rewind"}  # fmt: skip
    assert needed <= set(all_rules())


def test_a_whole_diagnosis_of_each_odd_run():
    for what, run in ODD:
        found = diagnose(run)
        assert {f.rule for f in found.results} == set(all_rules()), what
        assert found.verdict in ("healthy", "warning", "failing", "inconclusive")
        assert all(math.isfinite(f.confidence) for f in found.results)


@pytest.mark.parametrize("what", ["no series", "no point", "one point", "two points"])
def test_nothing_to_judge_is_no_alarm(what):
    found = diagnose(dict(ODD)[what])
    assert not [f for f in found.findings if f.severity is not Severity.INFO]
