"""``memory-pressure``: nearly full memory, and leaks."""

import dataclasses

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status

GIB = 2.0**30


def judged(run, **settings):
    return all_rules()["memory-pressure"](run, settings)


def used(level=20.0, n=500, sigma=0.005, seed=0):
    return level * np.exp(np.random.default_rng(seed).normal(0, sigma, n))


def leak(growth=0.8, n=500, level=20.0, sigma=0.005):
    return used(level, n, sigma) * (1 + growth * np.linspace(0, 1, n))


@pytest.mark.parametrize(
    ("name", "scale"),
    [("gpu_memory_gb", 1.0), ("memory/max_reserved(GiB)", 1.0), ("gpu_mem", 2.0**10),
     ("memory_allocated", GIB)],
)  # fmt: skip
@pytest.mark.parametrize("n", [60, 500, 20_000])
def test_a_leak_in_any_unit(name, scale, n):
    (found,) = judged(a_run(**{name: leak(n=n) * scale}))
    assert found.severity is Severity.WARNING
    assert found.evidence["growth"] == pytest.approx(1.8 / 1.08 - 1, abs=0.05)
    assert "limit_step" not in found.evidence


def test_a_leak_says_when_memory_will_be_full():
    run = a_run(gpu_memory_gb=leak(growth=1.0), gpu_memory_total_gb=np.full(500, 80.0))
    (found,) = judged(run)
    # From 20 GB at step 0 to 40 GB at step 500: 80 GB at step 1500.
    assert found.evidence["limit_step"] == pytest.approx(1500, rel=0.03)
    assert "at this pace it reaches 80" in found.message


def test_a_leak_that_gets_faster():
    place = np.linspace(0, 1, 500)
    (found,) = judged(a_run(gpu_memory_gb=used() * (1 + place**2)))
    assert found.failed


@pytest.mark.parametrize("sigma", [0.0, 0.002, 0.03])
@pytest.mark.parametrize("what", ["flat", "stairs", "one stair", "log", "settles", "sawtooth"])
def test_what_allocators_do_is_no_leak(what, sigma):
    place = np.linspace(0, 1, 800)
    shape = {
        "flat": np.ones(800),
        "stairs": 1 + 0.3 * (place > 0.2) + 0.3 * (place > 0.5) + 0.3 * (place > 0.9),
        "one stair": 1 + 0.5 * (place > 0.55),
        "log": 1 + np.log1p(100 * place) / 5,
        "settles": 2 - np.exp(-8 * place),
        "sawtooth": 1 + (place * 7) % 1,
    }[what]
    (found,) = judged(a_run(gpu_memory_gb=used(10.0, 800, sigma) * shape))
    assert found.status is Status.PASS


def test_a_running_maximum_is_no_leak():
    for seed in range(30):
        most = np.maximum.accumulate(used(n=1000, sigma=0.3, seed=seed))
        assert judged(a_run(max_mem=most))[0].status is Status.PASS, seed


FULL = {
    "percent": {"gpu_memory_percent": used(95, sigma=0.002)},
    "share": {"gpu_memory_usage": used(0.95, sigma=0.002)},
    "total": {"gpu_memory_gb": used(76, sigma=0.002), "gpu_memory_total_gb": np.full(500, 80.0)},
    "other unit": {"gpu_mem": used(77_800, sigma=0.002), "gpu_memory_total_gb": np.full(500, 80.0)},
    "bytes": {"memory_stats/bytes_in_use": used(76 * GIB, sigma=0.002),
              "memory_stats/bytes_limit": np.full(500, 80 * GIB)},
}  # fmt: skip


@pytest.mark.parametrize("how", FULL)
def test_nearly_full_is_told_and_no_warning(how):
    (found,) = judged(a_run(**FULL[how]))
    assert (found.failed, found.severity) == (True, Severity.INFO)
    assert found.evidence["median"] == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("key", ["gpu_memory_gb", "gpu_memory_total_gb", "vram_total_gb"])
def test_the_configuration_tells_the_limit(key):
    run = dataclasses.replace(a_run(gpu_mem=used(77_800)), config={"machine": {key: 80}})
    assert judged(run)[0].evidence["median"] == pytest.approx(0.95, abs=0.01)


def test_an_allocator_that_gives_its_cache_back_is_a_warning():
    retries = np.cumsum(np.arange(500) % 50 == 49)
    (found,) = judged(a_run(gpu_memory_percent=used(97, sigma=0.002), num_alloc_retries=retries))
    assert found.severity is Severity.WARNING
    assert found.evidence["retries"] == 10


def test_room_left():
    (found,) = judged(a_run(gpu_memory_percent=used(60)))
    assert found.status is Status.PASS
    assert found.evidence["highest"] < 0.65


def test_totals_that_do_not_fit_are_left_aside():
    (found,) = judged(a_run(gpu_memory_gb=used(76), gpu_memory_total_gb=np.full(500, 24.0)))
    assert found.status is Status.PASS
    assert "does not tell" in found.message


def test_what_is_missing_is_said():
    assert judged(a_run(loss=np.ones(9)))[0].status is Status.SKIP
    assert judged(a_run(gpu_memory_gb=np.ones(5)))[0].status is Status.INCONCLUSIVE
    assert judged(a_run(gpu_memory_gb=-np.ones(50)))[0].status is Status.SKIP
    assert not judged(a_run(gpu_memory_gb=np.zeros(50)))[0].failed
