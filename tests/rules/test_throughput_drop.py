"""``throughput-drop``: drops, slides, waiting for data, and steps by the clock."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.run import Chunk, Column, Run, unknown


def judged(run, **settings):
    return all_rules()["throughput-drop"](run, settings)


def rate(n=1000, sigma=0.1, scale=1000.0, seed=0):
    return scale * np.exp(np.random.default_rng(seed).normal(0, sigma, n))


def timed(step, time, **more):
    """A loss with wall times, and other series likewise."""
    columns = [("loss", step, time), *((name, *given) for name, given in more.items())]
    return Run("r", "r", "synthetic").extend(
        Chunk(
            tuple(
                Column(name, np.asarray(s, np.int64), np.ones(len(s)), t, unknown(len(s)))
                for name, s, t in columns
            )
        )
    )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("name", ["tokens_per_second", "samples_per_second", "its_per_sec"])
def test_a_drop_to_the_end(name, scale):
    value = rate(scale=scale)
    value[600:] /= 2
    (found,) = judged(a_run(**{name: value}))
    assert found.severity is Severity.WARNING
    assert found.first_step == pytest.approx(600, abs=25)
    assert found.evidence["ratio"] == pytest.approx(2, rel=0.05)
    assert "to the end" in found.message


def test_a_drop_that_ends():
    value = rate()
    value[300:500] /= 3
    (found,) = judged(a_run(tokens_per_second=value))
    assert found.first_step == pytest.approx(300, abs=25)
    assert found.last_step == pytest.approx(500, abs=25)


@pytest.mark.parametrize("n", [200, 1000, 20_000])
def test_a_slide(n):
    value = rate(n) * np.linspace(1, 0.6, n)
    (found,) = judged(a_run(tokens_per_second=value))
    assert found.severity is Severity.WARNING
    assert "slides" in found.message
    assert found.evidence["ratio"] == pytest.approx(0.96 / 0.6, rel=0.1)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_is_no_drop(rho):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 800))
        noise = rng.standard_normal(n)
        for i in range(1, n):
            noise[i] = rho * noise[i - 1] + np.sqrt(1 - rho**2) * noise[i]
        (found,) = judged(a_run(tokens_per_second=np.exp(0.3 * noise)))
        assert found.status is Status.PASS, seed


def test_evaluations_and_a_slow_start_are_no_drop():
    value = rate()
    value[:20] /= 10
    for start in range(50, 1000, 50):
        value[start : start + 4] /= 5
    (found,) = judged(a_run(tokens_per_second=value))
    assert found.status is Status.PASS


def test_a_level_that_comes_and_goes_is_told_as_such():
    value = rate()
    for start in (100, 300, 500, 700):
        value[start : start + 80] /= 2
    (found,) = judged(a_run(tokens_per_second=value))
    assert found.severity is Severity.INFO
    assert "of 4 such stretches" in found.message


def test_fewer_steps_of_more_work_are_no_fault():
    value = rate()
    value[600:] /= 2
    steps, tokens = judged(a_run(steps_per_second=value, tokens_per_second=rate(seed=1)))
    assert (steps.severity, steps.failed) == (Severity.INFO, True)
    assert "each step does more work" in steps.message
    assert tokens.status is Status.PASS


def test_a_resume_at_the_drop_is_named():
    step = np.concatenate([np.arange(600), np.arange(580, 1000)])
    value = rate(len(step))
    value[600:] /= 2
    (found,) = judged(a_run(tokens_per_second=(step, value)))
    assert "where the run was resumed" in found.message


@pytest.mark.parametrize("unit", ["", "_ms"])
def test_waiting_for_data(unit):
    scale = 1000.0 if unit else 1.0
    wait, step = rate(scale=0.02), rate(scale=0.3, seed=1)
    wait[500:] += 0.3
    run = a_run(**{f"data_time{unit}": wait * scale, "batch_time": step + wait})
    (found,) = judged(run)
    assert found.severity is Severity.WARNING
    assert found.evidence["usual"] == pytest.approx(0.06, abs=0.02)
    assert found.evidence["level"] == pytest.approx(0.5, abs=0.05)
    assert found.first_step == pytest.approx(500, abs=25)


def test_a_share_that_is_logged_needs_no_step_time():
    share = np.clip(np.random.default_rng(0).normal(5, 1, 300), 0, 100)
    share[200:] += 40
    (found,) = judged(a_run(**{"time_metrics/data_loading(%)": share}))
    assert found.failed
    assert found.evidence["level"] == pytest.approx(0.45, abs=0.02)


def test_data_that_always_takes_half_is_steady():
    (found,) = judged(a_run(data_time=rate(scale=0.5), batch_time=rate(scale=1.0)))
    assert found.status is Status.PASS


def clock(factor=1.0, n=400, sigma=0.1, every=10, seed=0):
    rng = np.random.default_rng(seed)
    seconds = 2.0 * np.exp(rng.normal(0, sigma, n))
    seconds[n // 2 :] *= factor
    return every * np.arange(1, n + 1), 1.7e9 + np.cumsum(seconds)


def test_steps_that_take_longer_by_the_clock():
    (found,) = judged(timed(*clock(3.0)))
    assert found.severity is Severity.WARNING
    assert found.first_step == pytest.approx(2000, abs=100)
    assert found.evidence["usual_seconds"] == pytest.approx(0.2, rel=0.1)
    assert found.evidence["ratio"] == pytest.approx(3, rel=0.1)


def test_a_slowing_of_seconds_is_at_most_an_information():
    step, time = clock(3.0)
    (found,) = judged(timed(step, 1.7e9 + (time - 1.7e9) / 100))
    assert found.failed
    assert found.severity is Severity.INFO


def test_irregular_records_are_at_most_an_information():
    step, time = clock(3.0)
    kept = np.sort(np.random.default_rng(0).choice(len(step), 250, replace=False))
    (found,) = judged(timed(step[kept], time[kept]))
    assert found.failed
    assert found.severity is Severity.INFO


@pytest.mark.parametrize("what", ["steady", "pauses", "bursts", "seconds", "interval", "resumed"])
def test_healthy_clocks(what):
    step, time = clock()
    if what == "pauses":
        time = time + 300 * (np.arange(400) // 40)
    elif what == "bursts":
        time = time[np.minimum(np.arange(400) // 50 * 50 + 49, 399)]
    elif what == "seconds":
        time = np.floor(time)
    elif what == "interval":
        step = np.concatenate([np.arange(200), 200 + 10 * np.arange(200)])
        time = 1.7e9 + np.cumsum(np.diff(step, prepend=0) * 2.0)
    elif what == "resumed":
        step = np.concatenate([step[:200], step[180:380]])
        time[200:] += 40_000
    (found,) = judged(timed(step, time))
    assert not found.failed


def test_what_is_missing_is_said():
    (none,) = judged(a_run(loss=np.ones(50)))
    assert none.status is Status.SKIP
    (other,) = judged(a_run(batch_time=np.ones(50)))
    assert "slow-batch" in other.message
    (few,) = judged(a_run(tokens_per_second=np.ones(5)))
    assert few.status is Status.INCONCLUSIVE
    (short,) = judged(timed(np.arange(20), 1.7e9 + np.arange(20.0)))
    assert short.status is Status.INCONCLUSIVE


def test_zero_and_broken_throughput():
    assert judged(a_run(tokens_per_second=np.zeros(50)))[0].status is Status.INCONCLUSIVE
    huge = np.full(100, 1e308)
    huge[50:] = 1e-308
    assert judged(a_run(tokens_per_second=huge))[0].failed
