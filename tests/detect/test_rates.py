"""How long a training was planned to be, from where a log may say so."""

import numpy as np
import pytest

from trainlens.detect.rates import header_total, planned_total
from trainlens.run import Chunk, Column, Run, unknown


def a_run(config, last=100):
    step = np.arange(1, last + 1)
    column = Column("loss", step, 1.0 / step, unknown(last), unknown(last))
    return Run("a", "a", "jsonl", config=config).extend(Chunk((column,)))


COSINE = {"kind": "cosine"}


@pytest.mark.parametrize(
    ("plans", "total"),
    [
        ({"total_steps": 500, "lr": COSINE}, 500.0),
        ({"total_steps": 500, "lr": COSINE | {"total_steps": 900}}, 500.0),
        ({"lr": COSINE | {"total_steps": 900}, "gate": COSINE | {"total_steps": 300}}, 900.0),
        ({"total_steps": 0, "lr": COSINE | {"total_steps": 900}}, 900.0),
        ({"total_steps": "x", "lr": 3}, None),
        ({"total_steps": True}, None),
        ({"total_steps": 10**400}, None),
        ({"total_steps": float("inf")}, None),
        ({"total_steps": -3}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_what_the_header_says(plans, total):
    run = a_run({"schedules": plans})
    assert header_total(run) == total
    assert planned_total(run, run["loss", "train"]) == total
    assert planned_total(run, None) == total


def test_a_setting_counts_before_the_header_and_what_is_left_behind_does_not():
    both = {"trainer": {"max_steps": 200}, "schedules": {"total_steps": 500}}
    short = a_run(both)
    assert planned_total(short, short["loss", "train"]) == 200
    long = a_run(both, last=400)
    assert planned_total(long, long["loss", "train"]) == 500
    longer = a_run(both, last=600)
    assert planned_total(longer, longer["loss", "train"]) is None
    assert header_total(longer) == 500
