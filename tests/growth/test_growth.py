"""Schedules of every registered reader."""

import os
import random

import pytest

from tests.growth.formats import all_formats
from tests.growth.schedule import carry_out, draw, shrunk
from trainlens.readers import all_readers

SCHEDULES = int(os.environ.get("TRAINLENS_SCHEDULES", "40"))
"""Of each format, spread over the ways in which it is written."""

SEED = os.environ.get("TRAINLENS_SCHEDULES_SEED", "0")

CASES = [
    pytest.param(module, name, id=f"{module.FORMAT}-{name}")
    for module in all_formats().values()
    for name in module.KINDS
]


def test_every_reader_has_schedules():
    assert {module.FORMAT for module in all_formats().values()} == set(all_readers())


@pytest.mark.parametrize(("module", "name"), CASES)
def test_what_was_watched_is_what_a_cold_read_gives(module, name, scratch):
    kind = module.KINDS[name]
    for number in range(-(-SCHEDULES // (len(module.KINDS) * kind.cost))):
        rng = random.Random(f"{module.FORMAT} {name} {SEED} {number}")
        actions = draw(kind, scratch, rng)
        if wrong := carry_out(kind, actions, scratch):
            short = shrunk(kind, actions, scratch)
            wrong = carry_out(kind, short, scratch) or wrong
            listed = "\n".join(f"  {action!r}," for action in short)
            pytest.fail(f"schedule {number} of seed {SEED}: {wrong}\n[\n{listed}\n]")
