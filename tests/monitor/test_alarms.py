"""Alarms: each thing that a user waits for brings a look forward; quiet logs bring few."""

import numpy as np
import pytest

from trainlens.chunk import Column, unknown
from trainlens.monitor.alarms import Alarms
from trainlens.run import Series

NONE = np.empty(0)


def meta(name="loss", split="train"):
    return Series(name, split, NONE.astype(np.int64), NONE, NONE, NONE)


def column(step, value):
    value = np.atleast_1d(np.asarray(value, np.float64))
    step = np.atleast_1d(np.asarray(step, np.int64))
    return Column("x", step, value, unknown(len(step)), unknown(len(step)))


def heard(values, name="loss", split="train", first=0, alarms=None):
    """At which of some points, read one by one, there was an alarm."""
    alarms, series = alarms or Alarms(), meta(name, split)
    found = [alarms.heed(series, column(first + i, v)) for i, v in enumerate(values)]
    return [i for i, alarming in enumerate(found) if alarming]


def falling(n, noise=0.03, seed=0):
    return (
        3 / (1 + np.arange(n)) ** 0.3 * (1 + noise * np.random.default_rng(seed).standard_normal(n))
    )


def test_the_first_nan_is_an_alarm_and_the_first_number_after_it():
    assert heard([1.0, np.nan, np.nan, 1.0, 1.0], "val/score", "val") == [1, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["loss", "accuracy", "grad_norm", "lr"])
def test_whatever_is_no_number_is_an_alarm(bad, name):
    assert 3 in heard([1.0, 1.0, 1.0, bad], name)


def test_readings_of_the_machine_are_none():
    assert heard([1.0, np.nan, 5.0], "epoch") == []


def test_steps_that_go_back_are_an_alarm():
    alarms, series = Alarms(), meta("score", "val")
    assert not alarms.heed(series, column([5, 6, 7], [1.0, 1.0, 1.0]))
    assert alarms.heed(series, column([3], [1.0]))
    assert not alarms.heed(series, column([4], [1.0]))


def test_the_jitter_of_a_writer_is_none():
    alarms, series = Alarms(), meta("score", "val")
    assert not alarms.heed(series, column([100, 99, 101], [1.0, 1.0, 1.0]))


def test_a_jump_of_the_learning_rate_is_an_alarm_and_its_decay_is_none():
    rate = np.concatenate([np.linspace(1e-3, 5e-4, 200), [5e-5], np.full(5, 5e-5)])
    assert heard(rate, "lr") == [200]


@pytest.mark.parametrize("height", [2.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_spike_is_an_alarm_while_it_goes_on(height, seed):
    value = falling(400, seed=seed)
    value[300:308] *= height
    found = [i for i in heard(value) if 300 <= i < 308]
    assert found


def test_a_spike_within_one_poll_is_an_alarm():
    value = falling(400)
    value[300:308] *= 4
    alarms, series = Alarms(), meta()
    assert alarms.heed(series, column(np.arange(400), value))


def test_quiet_logs_are_quiet():
    n = 3000
    found = [len(heard(falling(n, seed=seed))) for seed in range(3)]
    # Single points far out in the tail are alarms, too; each ends again.
    assert sum(found) <= 0.003 * 3 * n


def test_only_the_leading_loss_is_watched_for_spikes():
    alarms = Alarms()
    assert heard(falling(100), "total_loss", alarms=alarms) == []
    part = falling(200)
    part[150:] *= 30
    assert heard(part, "loss_part_three", alarms=alarms) == []


def test_a_run_that_starts_again_is_watched_anew():
    alarms = Alarms()
    heard(falling(300), alarms=alarms)
    value = falling(300, seed=1)
    value[200:208] *= 5
    assert any(200 <= i < 208 for i in heard(value, alarms=alarms))


@pytest.mark.parametrize("size", [1, 400])
def test_a_gradient_norm_that_surges_is_an_alarm(size):
    value = 1.0 + 0.3 * np.abs(np.sin(np.arange(400.0)))
    alarms, series = Alarms(), meta("grad_norm")
    parts = np.split(np.arange(400), range(size, 400, size))
    assert not any(alarms.heed(series, column(p, value[p])) for p in parts)
    assert alarms.heed(series, column([400], [40.0]))
