"""What is said of arms of which every run broke: each thing once, no numbers without meaning."""

import math

import click
import numpy as np
import pytest
from curve_runs import run

import trainlens
from trainlens.comparison.model import Arm
from trainlens.render.comparison import text

METRICS = ("loss", "val__loss", "val__acc")


def arm(name, broken):
    def curve(seed):
        rng = np.random.default_rng(seed)
        value = 0.5 + 1 / np.sqrt(np.arange(1, 401)) + rng.normal(0, 0.03, 400)
        return np.where(np.arange(1, 401) >= 200, math.nan, value) if broken else value

    def metrics(seed):
        return {name: curve(10 * seed + k) for k, name in enumerate(METRICS)}

    runs = (run(f"{name}{i}", {"x": name, "seed": i}, **metrics(i)) for i in range(5))
    return Arm(name, tuple(runs))


@pytest.fixture(scope="module")
def comparison():
    return trainlens.compare(arm("A", True), arm("B", False))


def test_runs_that_broke_alike_are_told_of_once(comparison):
    (said,) = [c.message for c in comparison.cautions if c.kind == "non-finite"]
    assert said.startswith("train/loss in A0 is NaN from step 200 to the end of its log")
    assert said.endswith("and so do 2 other series; the like in 4 more runs of A")


def test_runs_that_failed_have_no_score_to_count(comparison):
    assert [tuple(s.n for s in row.summaries) for row in comparison.rows] == [(0, 5)] * 3


def test_the_table_has_dashes_and_each_reason_once(comparison):
    told = click.unstyle(text.page(comparison, columns=120))
    assert "∞" not in told
    assert told.partition("higher is better")[0].count("all runs of A failed and none of B") == 1
    assert ": as said above." in told
    assert "train/loss in A0" in told  # a metric keeps its letters at the head of a sentence
