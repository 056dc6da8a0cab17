"""What the benchmark of spikes calls true, found and worst."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.diagnosis import real_steps, strata
from benchmarks.diagnosis.strata import Cell, Score, Size
from trainlens.detect.base import Event
from trainlens.detect.context import falls_at_once, learning_rate_restart
from trainlens.detect.levels import expected_by_clumps
from trainlens.rules.base import fail
from trainlens.run import Chunk, Column, Run, unknown

N = 2000


def trained(*, of_model: bool):
    """A training whose loss doubles at steps 1000 to 1009, with the model or without it."""
    rng = np.random.default_rng(0)
    level = 0.2 + np.exp(-np.arange(N) / 300)
    reference = level * np.exp(0.002 * rng.standard_normal(N))
    loss = level * np.exp(0.1 * rng.standard_normal(N))
    loss[999:1009] *= 2
    if of_model:
        reference[999:1009] *= 2
    step = np.arange(N, dtype=float)
    return SimpleNamespace(name="t", loss=loss, reference=reference, rate=step + 1, epoch=step / 50)


@pytest.mark.parametrize("of_model", [True, False])
def test_an_alarm_is_true_where_the_model_itself_got_worse(of_model):
    recipe = SimpleNamespace(name="t", task="t", seed=3)
    one = real_steps.judged(recipe, trained(of_model=of_model))
    assert one.healthy
    assert (one.true, one.false) == ((1, 0) if of_model else (0, 1))
    assert one.messages[0].startswith("true" if of_model else "false")


def test_a_small_rise_of_the_model_does_not_excuse_a_large_alarm():
    held = trained(of_model=False)
    held.reference[999:1009] *= 1.2
    finding = fail("", first_step=1000, last_step=1009, evidence={"ratio": 2.0})
    assert not real_steps.truly(held, finding)


def test_a_training_that_does_not_converge_is_counted_apart():
    held = trained(of_model=False)
    held.reference = held.reference[::-1].copy()
    one = real_steps.judged(SimpleNamespace(name="t", task="t", seed=3), held)
    assert not one.healthy
    (whole,) = real_steps.totals([one])
    assert (whole.trainings, whole.steps) == (0, 0)


def test_the_bound_on_no_false_alarm_is_that_of_poisson():
    whole = real_steps.Total("all", 1, 100_000, 0, 0, 0, 0, 0, 0)
    assert whole.at_most == pytest.approx(-np.log(0.025))


def test_the_oracle_finds_clear_spikes_and_misses_those_within_the_noise():
    clear = strata.score([Cell("white", 0.02, 2000, 1, "power law", s) for s in range(3)], 1)
    assert all(one.oracle == one.labels > 0 for _, one in clear)
    plain = np.random.default_rng(0).standard_normal(1000)
    sick = plain.copy()
    sick[500:505] += 0.1
    assert not strata._told(sick, plain, 500, 505)


def test_spikes_of_any_size_are_not_lifted_above_the_noise():
    cell = Cell("white", 0.5, 2000, 1, "power law", 0, Size.ANY)
    s = strata.sketch(cell, np.random.default_rng(0))
    before = s.wobble.copy()
    strata.injected(s, Size.ANY)
    assert 0 < float((s.wobble - before).max()) <= 1.6


def test_the_worst_stratum_has_the_lowest_f1_and_counts_false_alarms():
    def cell(noise):
        return Cell(noise, 0.02, 200, 1, "power law", 0)

    some = [(cell("white"), Score(40, 40, 40, 20, 1)), (cell("t4"), Score(40, 36, 40, 0, 1))]
    name, one = next(iter(strata.by(["noise"], some).items()))
    assert name == "noise white"
    assert one.f1 == pytest.approx(80 / 100)


def test_cells_name_their_families_and_sealed_ones_are_others():
    open_, sealed = list(strata.cells(1)), list(strata.cells(1, sealed=True))
    assert not {c.noise for c in open_} & {c.noise for c in sealed}
    assert not {c.seed for c in open_} & {c.seed for c in sealed}
    assert set(open_[0].families) == set(strata.AXES)


def a_run(**columns):
    held = [
        Column(name, np.arange(1, len(v) + 1), v, unknown(len(v)), unknown(len(v)))
        for name, v in columns.items()
    ]
    return Run("r", "r", "test").extend(Chunk(tuple(held)))


def test_a_steep_decay_of_the_learning_rate_is_no_restart_of_it():
    decay = np.exp(-np.arange(200) / 8)
    assert learning_rate_restart(a_run(lr=decay), 150) == 1.0
    decay[148:] *= 3
    assert learning_rate_restart(a_run(lr=decay), 150) == pytest.approx(3 * np.exp(-1 / 8))


def an_event(first: int, last: int, peak: float) -> Event:
    return Event("spike", first + 1, last + 1, first, last - first + 1, first + 1, peak, 1.0,
                 9.0, last + 2)  # fmt: skip


def test_a_block_falls_at_once_and_a_running_mean_does_not():
    block = np.ones(300)
    block[100:105] = 2.0
    series = a_run(loss=block).series
    assert falls_at_once(next(iter(series.values())), an_event(100, 104, 2.0))
    mean = np.ones(300)
    mean[100:] += 1 / np.arange(1, 201)
    series = a_run(loss=mean).series
    assert not falls_at_once(next(iter(series.values())), an_event(100, 105, 2.0))


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_a_stretch_is_expected_where_neighbours_are_alike(rho):
    rng = np.random.default_rng(1)
    noise = np.zeros(8000)
    for i, shock in enumerate(rng.standard_t(4, 8000)):
        noise[i] = rho * noise[i - 1] + shock
    noise[4000:4005] = 6.0
    series = next(iter(a_run(loss=np.exp(0.1 * noise)).series.values()))
    event = an_event(4000, 4004, float(np.exp(0.6)))
    assert (expected_by_clumps(series, event, [event]) > 0.1) is (rho > 0)
