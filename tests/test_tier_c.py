"""Tier C of the labelled benchmark: stored logs of real trainings, sick and healthy."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.diagnosis.judge import judged
from benchmarks.diagnosis.labelled import HEALTHY
from benchmarks.diagnosis.tier_c import LOGS, labelled, load
from benchmarks.diagnosis.trainings import trainings
from benchmarks.diagnosis.trainings.curves import Curves, healthy
from trainlens.readers import load_one
from trainlens.rules import all_rules
from trainlens.run import Run, Series, unknown

ROOT = Path(__file__).parent.parent

MISSED = {
    "shuffled-labels": "the loss ends 4 % below the logarithm of 6, and accuracy at 0.27 of 6 "
    "classes: a hard task looks the same to who does not know the labels",
}
"""Faults that the rules do not find, and why."""

NAMES = sorted(trainings())


@pytest.fixture(scope="module")
def outcomes():
    """Of every pair: the sick run and its twin."""
    return {
        (name, sick): judged(labelled(one, sick))
        for name, one in trainings().items()
        for sick in (True, False)
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MISSED])
def test_the_fault_is_found(outcomes, name):
    one = outcomes[name, True]
    assert one.hits == one.labels == 1, one.messages


@pytest.mark.parametrize("name", NAMES)
def test_a_sick_run_gets_no_more_wrong_findings_than_its_twin(outcomes, name):
    false = set(outcomes[name, True].false)
    assert not false, outcomes[name, True].messages


@pytest.mark.parametrize("name", NAMES)
def test_the_healthy_twin_is_left_alone(outcomes, name):
    assert not outcomes[name, False].false, outcomes[name, False].messages


def test_exceptions_stay_exceptions():
    assert set(MISSED) <= set(NAMES)
    assert len(MISSED) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_the_logs_show_what_they_should(name):
    one = trainings()[name]
    sick, well = (Curves(load_one(LOGS / one.file(s))) for s in (True, False))
    facts = one.facts(sick, well)
    assert facts
    assert all(facts.values()), facts
    assert all(healthy(well).values()), healthy(well)


def test_every_pair_is_stored_and_nothing_else():
    held = {one.file(sick) for one in trainings().values() for sick in (True, False)}
    assert {path.name for path in LOGS.iterdir()} == held
    assert sum(path.stat().st_size for path in LOGS.iterdir()) < 600_000


def test_labels_name_rules_and_lie_within_the_run():
    known = set(all_rules())
    cases = load()
    assert len(cases) == 2 * len(NAMES)
    for case in cases:
        assert set(case.accepted) | set(case.consequences) <= known
        begin, end = case.run.steps
        assert case.kind == HEALTHY or begin <= case.first_step <= case.last_step <= end
        assert not case.run.notices


def test_facts_of_a_curve():
    value = np.concatenate([np.linspace(2, 1, 36), [1.5, 3.0, math.nan, 3.0]])
    step = np.arange(1, 41, dtype=np.int64)
    series = Series("loss", "train", step, value, unknown(40), unknown(40))
    curves = Curves(Run("a", "", "made", {("loss", "train"): series}))
    assert curves.start() == pytest.approx(2, abs=0.05)
    assert curves.best() == pytest.approx(1, abs=0.1)
    assert curves.at(18) == pytest.approx(value[17])
    assert math.isnan(curves.end())
    assert not curves.finite()
    assert not curves.learned()
    assert len(curves.values("loss", "val")) == 0


def test_reading_them_needs_no_torch():
    code = (
        "import sys\nfrom benchmarks.diagnosis.tier_c import trainings\n"
        "assert trainings() and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
