"""Schedules of every registered reader, with the findings of a monitor at their end."""

import os
import random

import pytest

from tests.growth.findings import carry_out
from tests.growth.schedule import draw
from tests.growth.test_growth import CASES, SEED

SCHEDULES = int(os.environ.get("TRAINLENS_FINDING_SCHEDULES", "8"))
"""Of each format, spread over the ways in which it is written."""


@pytest.mark.parametrize(("module", "name"), CASES)
def test_what_was_told_is_what_a_cold_diagnosis_says(module, name, scratch, monkeypatch):
    monkeypatch.setenv("TRAINLENS_CACHE", "off")
    kind = module.KINDS[name]
    for number in range(-(-SCHEDULES // (len(module.KINDS) * kind.cost))):
        rng = random.Random(f"findings {module.FORMAT} {name} {SEED} {number}")
        actions = draw(kind, scratch, rng)
        if wrong := carry_out(kind, actions, scratch):
            listed = "\n".join(f"  {action!r}," for action in actions)
            pytest.fail(f"schedule {number} of seed {SEED}: {wrong}\n[\n{listed}\n]")
