"""``slow-batch``: single slow batches and lasting slowdowns, in any unit."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.rules.seed import slow_batch as seed
from trainlens.rules.slow_batch import slow_batch


def times(n=1000, sigma=0.1, scale=0.3, seed=0):
    return scale * np.exp(np.random.default_rng(seed).normal(0, sigma, n))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_single_slow_batch(scale):
    value = times(scale=scale)
    value[500] *= 12
    (found,) = slow_batch(a_run(batch_time=value))
    assert found.status is Status.FAIL
    assert found.severity is Severity.INFO, "1 % of the time"
    assert (found.first_step, found.last_step) == (501, 501)
    assert found.evidence["worst_ratio"] == pytest.approx(12, rel=0.4)


def the_slow(value, **settings):
    (found,) = all_rules()["slow-batch"](a_run(batch_time=value), settings)
    return found


def test_slow_batches_that_cost_much_are_a_warning():
    value = times()
    at = [101, 163, 290, 333, 512, 519, 700, 871, 950]
    value[at] *= 20
    found = the_slow(value)
    assert found.severity is Severity.WARNING
    assert found.evidence["slow"] == len(at)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("jitter", [0, 2])
def test_evaluations_in_the_step_time_are_no_fault(width, jitter):
    value = times()
    shift = np.random.default_rng(5).integers(-jitter, jitter + 1, 9)
    for start in np.arange(100, 1000, 100) + shift:
        value[start : start + width] *= 1 + 20 / width
    found = the_slow(value)
    assert found.severity is Severity.INFO
    assert "every 100 steps" in found.message or jitter
    assert found.evidence["share_of_time"] > 0.1


def test_regular_pauses_that_cost_most_of_the_time_are_a_warning():
    value = times()
    value[100::100] *= 100
    assert the_slow(value).severity is Severity.WARNING


@pytest.mark.parametrize("unit", ["batch_time", "batch_time_ms", "step_time_ms", "sec_per_step"])
def test_the_unit_of_a_name_changes_no_verdict(unit):
    scale = 1000.0 if unit.endswith("ms") else 1.0
    value = times(scale=0.3 * scale)
    value[600:] *= 3
    (found,) = slow_batch(a_run(**{unit: value}))
    assert found.evidence["ratio"] == pytest.approx(3, rel=0.1)
    assert ("ms" if unit.endswith("ms") else "s") in found.message


def test_slow_autocorrelated_noise_is_no_slowdown():
    for attempt in range(40):
        rng = np.random.default_rng(attempt)
        noise = rng.standard_normal(400)
        for i in range(1, 400):
            noise[i] = 0.9 * noise[i - 1] + 0.44 * noise[i]
        (found,) = slow_batch(a_run(batch_time=0.3 * np.exp(0.25 * noise)))
        assert found.status is Status.PASS, attempt


@pytest.mark.parametrize("ratio", [2.0, 5.0, 20.0])
def test_a_lasting_slowdown(ratio):
    value = times()
    value[600:] *= ratio
    (found,) = slow_batch(a_run(batch_time=value))
    assert found.status is Status.FAIL
    assert found.first_step == pytest.approx(600, abs=25)
    assert found.evidence["ratio"] == pytest.approx(ratio, rel=0.1)
    assert "to the end" in found.message


def test_a_slowdown_that_ends():
    value = times()
    value[400:600] *= 3
    (found,) = slow_batch(a_run(batch_time=value))
    assert found.last_step == pytest.approx(600, abs=25)


@pytest.mark.parametrize("sigma", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("n", [20, 100, 3000])
def test_steady_times_pass(n, sigma):
    value = times(n, sigma, seed=n)
    value[:2] *= 50  # compilation
    (found,) = slow_batch(a_run(batch_time=value))
    assert found.status is Status.PASS


def test_accumulation_is_a_pattern_not_a_fault():
    value = times()
    value[3::4] *= 8
    assert [f.status for f in slow_batch(a_run(batch_time=value))] == [Status.PASS]


def test_too_few_and_none():
    assert next(iter(slow_batch(a_run(batch_time=np.ones(5))))).status is Status.INCONCLUSIVE
    assert next(iter(slow_batch(a_run(loss=np.ones(5))))).status is Status.SKIP


def test_the_seed_profile_is_300_seconds():
    assert next(iter(seed.slow_batch(a_run(batch_time=[1.0, 300.1])))).failed
    assert not next(iter(seed.slow_batch(a_run(batch_time=[1.0, 300.0])))).failed
    assert next(iter(seed.slow_batch(a_run(batch_time=[np.nan])))).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(("n", "burst"), [(300, 10), (1000, 20), (3000, 20), (10_000, 40)])
def test_a_burst_of_slow_batches_that_costs_time_is_a_warning(n, burst):
    rng = np.random.default_rng(n)
    seconds = 0.3 * np.exp(0.1 * rng.standard_normal(n))
    seconds[n // 2 : n // 2 + burst] *= 30
    found = [f for f in slow_batch(a_run(batch_time=seconds)) if f.failed]
    assert found
    assert found[0].first_step == n // 2 + 1
    assert found[0].evidence["share_of_time"] > 0.05
    assert found[0].severity is not Severity.INFO
