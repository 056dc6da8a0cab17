"""How far two runs of one code may lie apart."""

import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trainlens.comparison.allowance import AT_MOST, FEWEST, MOVED, WANDERED, seed_allowance
from trainlens.stats.contrast import mean_contrast

LOGS = Path(__file__).parents[3] / "shared" / "real_logs"


def half(n):
    return slice(n // 2, None)


def allowed(first, second):
    return seed_allowance(first, second, half(len(first))).value


def exceeds(first, second):
    """The difference of the last half is sure, and larger than what is allowed."""
    late = (second - first)[half(len(first))]
    found = mean_contrast(late)
    return (
        found is not None and found.p < 0.025 and abs(found.mean) > allowed(first, second)
    )  # fmt: skip


def test_a_steady_difference_of_flat_curves_is_allowed_nothing():
    flat = np.full(64, 2.0)
    assert allowed(flat, flat + 0.5) == pytest.approx(0.0, abs=1e-12)


def test_the_movement_is_that_from_the_second_quarter_to_the_last():
    falling = np.repeat([8.0, 5.0, 4.0, 3.0], 8) - 4.5  # below 0: no loss
    held = seed_allowance(falling, np.full(32, -1.5), half(32))
    # the difference over the six stretches: 2, 2, 1, 1, 0, 0
    wander = np.std([2, 2, 1, 1, 0, 0], ddof=1)
    assert held.value == pytest.approx(max(MOVED * 2.0, WANDERED * wander))
    still = seed_allowance(falling, falling + 0.1, half(32))
    assert still.value == pytest.approx(MOVED * 2.0)
    assert "moved" in still.because


def test_the_wander_counts_stretches_of_an_eighth():
    there_and_back = np.tile(np.repeat([1.0, -1.0], 8), 4)  # eighths of alternating sign
    held = seed_allowance(np.zeros(64), there_and_back, half(64))
    assert held.value == pytest.approx(WANDERED * np.std([1, -1, 1, -1, 1, -1], ddof=1))
    assert "wandered" in held.because


def test_the_first_quarter_does_not_count_towards_the_wander():
    first, second = np.ones(64), np.ones(64)
    second[:16] = np.linspace(50, 1, 16)
    assert allowed(first, second) == 0.0


@pytest.mark.parametrize("n", range(FEWEST))
def test_too_few_points_allow_everything(n):
    held = seed_allowance(np.ones(n), np.zeros(n), slice(n // 2, None))
    assert math.isinf(held.value)
    assert str(n) in held.because


def test_nothing_but_zeros():
    assert allowed(np.zeros(20), np.zeros(20)) == 0.0


@pytest.mark.parametrize("late", [slice(0, None), slice(20, None), slice(5, 10), slice(5, None, 2)])
def test_a_late_part_must_be_the_end(late):
    with pytest.raises(ValueError, match="late is"):
        seed_allowance(np.ones(20), np.ones(20), late)


def test_curves_must_match():
    with pytest.raises(ValueError, match="shapes differ"):
        seed_allowance(np.ones(20), np.ones(19), half(20))


def test_values_near_the_limit_of_floats():
    size = 1.7e308
    first = np.where(np.arange(32) % 2, size, -size)
    held = allowed(first, -first)
    assert held >= 0
    assert not math.isnan(held)


curves = st.integers(FEWEST, 60).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-1000, 1000), min_size=n, max_size=n), min_size=2, max_size=2
    )
)


@settings(max_examples=60, deadline=None)
@given(curves, st.floats(-1e4, 1e4), st.floats(1e-3, 1e3))
def test_neither_unit_nor_zero_matter(pair, zero, unit):
    first, second = np.array(pair)
    low = min(first.min(), second.min())
    assume(max(low, zero + unit * low) <= 0)  # no losses, moved or not
    plain = allowed(first, second)
    close = 1e-9 * unit * (2e3 + abs(zero))
    assert allowed(zero + unit * first, zero + unit * second) == pytest.approx(
        unit * plain, rel=1e-6, abs=close
    )


@settings(max_examples=60, deadline=None)
@given(curves)
def test_both_sides_are_alike(pair):
    first, second = np.array(pair)
    assert allowed(first, second) == allowed(second, first)
    assert allowed(-first, -second) == allowed(first, second)


@settings(max_examples=60, deadline=None)
@given(curves, st.floats(-100, 100))
def test_a_steady_difference_adds_nothing(pair, step):
    first, second = np.array(pair)
    assume(first.min() <= 0)  # no loss
    assert allowed(first, second + step) == pytest.approx(allowed(first, second), abs=1e-9)


def test_of_two_losses_half_of_the_higher_one_at_most():
    falling = 8.0 * np.exp(-np.arange(40) / 15)
    late = falling[20:].mean()
    held = seed_allowance(falling, 0.4 * falling, half(40))
    assert held.value == pytest.approx(AT_MOST * late)
    assert "50 %" in held.because
    rising = falling[::-1].copy()
    assert allowed(rising, 0.4 * rising) > AT_MOST * rising[20:].mean()


@settings(max_examples=60, deadline=None)
@given(curves, st.floats(1e-6, 1e6))
def test_the_unit_of_a_loss_does_not_matter(pair, unit):
    first, second = (np.array(half) + 1001 for half in pair)
    plain = allowed(first, second)
    assert allowed(unit * first, unit * second) == pytest.approx(unit * plain, rel=1e-6)


def noisy(rng, n, rho=0.5, size=0.03):
    noise = np.zeros(n)
    for i in range(1, n):
        noise[i] = rho * noise[i - 1] + math.sqrt(1 - rho * rho) * rng.standard_normal()
    return 1.5 * np.exp(-8 * np.arange(n) / n) + 0.5 + size * noise


def test_simulated_replicates_hardly_ever_exceed_it():
    rng = np.random.default_rng(0)
    called = [
        exceeds(noisy(rng, n, rho), noisy(rng, n, rho))
        for n in (20, 50, 200)
        for rho in (0.0, 0.6, 0.9)
        for _ in range(25)
    ]
    assert sum(called) <= 1


@pytest.mark.parametrize("n", [40, 100, 400])
def test_a_clear_improvement_exceeds_it(n):
    rng = np.random.default_rng(n)
    called = [exceeds(noisy(rng, n), noisy(rng, n) - 0.15) for _ in range(10)]
    assert sum(called) >= 8


def mlperf(path):
    """Evaluations by epoch of a log of either syntax, by nothing but regular expressions."""
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        if ":::ML" not in line or (held := re.search(r"eval_accuracy: (\{.*\})", line)) is None:
            continue
        record = json.loads(held[1])
        value = record.get("value", record.get("eval_accuracy"))
        found[record.get("epoch", len(found))] = float(value)
    return found


def steps_and_losses(path):
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {int(step): float(loss) for step, loss in rows}


def real_pairs():
    """Pairs of real logs of one configuration."""
    if not LOGS.is_dir():
        return
    intel = LOGS / "mlperf_mllog/mlcommons__training_results_v0.5/v0.5.0/intel"
    folder = intel / "intel_resnet_submission/results/skx_8180_2s_1x/resnet"
    yield mlperf(folder / "result_0.txt"), mlperf(folder / "result_1.txt")
    titan = LOGS / "text/pytorch__torchtitan/tests/assets/losses"
    for name in ("llama3", "qwen3_moe"):
        yield tuple(
            steps_and_losses(titan / f"{name}_{chip}.txt") for chip in ("cuda", "rocm_mi350x")
        )


@pytest.mark.skipif(not LOGS.is_dir(), reason="the real logs are not here")
def test_real_replicates_never_exceed_it():
    looked = 0
    for first, second in real_pairs():
        common = sorted(first.keys() & second.keys())
        values = [np.array([run[step] for step in common]) for run in (first, second)]
        assert len(common) >= FEWEST
        for one, other in itertools.permutations(values):
            assert not exceeds(one, other)
            looked += 1
    assert looked == 6
