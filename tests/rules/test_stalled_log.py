"""``stalled-log``: silence within a log, and at its end."""

import dataclasses

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

START = 1.7e9


def judged(run, **settings):
    (found,) = all_rules()["stalled-log"](run, settings)
    return found


def a_log(seconds, step=None, config=None, **others):
    n = len(seconds)
    step = np.arange(n) if step is None else step
    time = START + np.cumsum(seconds)
    columns = [Column("loss", step, np.ones(n), time, unknown(n))]
    for name, (s, t) in others.items():
        columns.append(Column(name, np.asarray(s), np.ones(len(s)), t, unknown(len(s))))
    return Run("r", "r", "synthetic").extend(Chunk(tuple(columns), config or {}))


def steady(n=2000, usual=10.0, seed=0):
    return usual * np.exp(np.random.default_rng(seed).normal(0, 0.3, n))


def with_gaps(*at, long=4000.0, n=2000):
    seconds = steady(n)
    seconds[list(at)] = long
    return seconds


def test_one_gap_is_an_information():
    found = judged(a_log(with_gaps(700, long=2000.0)))
    assert (found.failed, found.severity) == (True, Severity.INFO)
    assert (found.first_step, found.last_step) == (699, 700)
    assert found.evidence["longest_seconds"] == pytest.approx(2000)
    assert "33 min" in found.message


def test_gaps_that_recur_or_cost_much_are_a_warning():
    assert judged(a_log(with_gaps(300, 500, 1500))).severity is Severity.WARNING
    costly = judged(a_log(with_gaps(700, long=40_000.0)))
    assert costly.severity is Severity.WARNING
    assert costly.evidence["share_of_time"] > 0.5


@pytest.mark.parametrize("usual", [0.1, 10.0, 3000.0])
def test_steady_logs(usual):
    assert judged(a_log(steady(usual=usual))).status is Status.PASS


def test_bursts_are_no_gaps():
    seconds = np.zeros(2000)
    seconds[::50] = 3600 * np.exp(np.random.default_rng(0).normal(0, 0.3, 40))
    assert judged(a_log(seconds)).status is Status.PASS


def test_a_resume_is_no_gap():
    step = np.concatenate([np.arange(1000), np.arange(900, 1900)])
    assert judged(a_log(with_gaps(1000, long=40_000.0), step)).status is Status.PASS
    step = np.concatenate([np.arange(1000), np.arange(999, 1999)])
    assert judged(a_log(with_gaps(1000, long=40_000.0), step)).status is Status.PASS


def test_pauses_that_come_regularly_are_none():
    assert judged(a_log(with_gaps(*range(200, 2000, 200)))).status is Status.PASS


def test_evaluations_explain_a_pause():
    at = [300, 740, 1100, 1630]
    seconds = with_gaps(*at)
    done = START + np.cumsum(seconds)[at] - 5.0
    assert judged(a_log(seconds, val_loss=(at, done))).status is Status.PASS


def test_an_evaluation_that_took_seconds_explains_none():
    at = np.arange(100, 2000, 100)
    seconds = with_gaps(500, long=40_000.0)
    done = START + np.cumsum(seconds)[at] + 1.0
    assert judged(a_log(seconds, val_loss=(at, done))).failed


def test_what_is_written_within_a_gap_ends_it():
    seconds = with_gaps(700)
    within = START + np.cumsum(seconds)[699] + np.array([1500.0, 2500.0])
    assert judged(a_log(seconds, reward=([0, 1], within))).status is Status.PASS


def test_the_end_of_a_log_needs_a_clock():
    run = a_log(steady())
    end = float(run["loss"].wall_time[-1])
    assert judged(run).status is Status.PASS
    assert judged(run, now=end + 600).status is Status.PASS
    late = judged(run, now=end + 7300)
    assert late.severity is Severity.WARNING
    assert late.first_step == late.last_step == 1999
    assert "2 h 1 min" in late.message


def test_longer_pauses_before_are_waited_for():
    run = a_log(with_gaps(700, 900, long=6000.0))
    end = float(run["loss"].wall_time[-1])
    assert "between" in judged(run, now=end + 7000).message
    assert "since step" in judged(run, now=end + 10_000).message


@pytest.mark.parametrize(
    "config",
    [{"max_steps": 1999}, {"trainer": {"total_steps": 2000}}, {"mlflow": {"status": "FINISHED"}}],
)
def test_a_finished_run_does_not_stall(config):
    run = a_log(steady(), config=config)
    done = config.get("trainer", {}).get("total_steps") != 2000
    assert judged(run, now=START + 1e6).failed is not done


def test_progress_tells_the_end():
    run = a_log(steady())
    run = dataclasses.replace(
        run, series={**run.series, **a_run(progress=np.linspace(0, 1, 50)).series}
    )
    assert not judged(run, now=START + 1e6).failed


def test_what_is_missing_is_said():
    assert judged(a_run(loss=np.ones(50))).status is Status.SKIP
    assert judged(a_log(steady(4))).status is Status.INCONCLUSIVE
    assert not judged(a_log(steady()), now=1000.0).failed
