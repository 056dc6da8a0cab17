"""Decisions by evidence: on curves whose answer is known, in any unit, and in a real training."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from benchmarks.adaptive.simulated import (  # noqa: E402
    HEALTHY,
    course,
    noise_floor,
    saddle,
)
from benchmarks.adaptive.training import METHODS, STALL, train  # noqa: E402
from trainlens_torch.adaptive import AdaptiveLRManager  # noqa: E402
from trainlens_torch.adaptive.evidence import Stall, Verdict, against, faster, stall  # noqa: E402
from trainlens_torch.adaptive.history import History  # noqa: E402


def robust(**more):
    """A manager of mode "robust" """
    return AdaptiveLRManager(1e-4, mode="robust", **more)


def noisy(level, seed=0, noise=0.003):
    """A level with relative noise."""
    level = np.asarray(level, float)
    return level * np.exp(noise * np.random.default_rng(seed).normal(size=len(level)))


def driven(manager, loss_at, count):
    """Feed a manager with what a function says of its factor; factors that each loss was made at.

    The function is called with the evaluation and the factor.
    """
    factors = []
    for i in range(count):
        factors.append(manager.factor)
        manager.update(loss_at(i, manager.factor))
    return np.array(factors)


# Standstill --------------------------------------------------------------------------------------


def test_standstill_of_both_kinds():
    assert stall(noisy([4.25] * 30))[0] is Stall.NEVER_FELL
    power = 1 + 2 * np.arange(1, 151) ** -0.7
    assert stall(noisy(power)) is None
    stopped = np.concatenate([power[:60], np.full(90, power[59])])
    assert stall(noisy(stopped))[0] is Stall.STOPPED
    at_once = np.concatenate([[9.0, 4.0, 2.0], np.full(200, 1.0)])
    found = [stall(noisy(at_once, seed, 0.02)) for seed in range(20)]
    assert {kind for kind, _ in filter(None, found)} == {Stall.STOPPED}
    assert sum(one is not None for one in found) >= 10  # at the next look the rest


def test_what_cannot_be_told_is_no_standstill():
    assert stall(noisy([4.25] * 10)) is None
    assert stall(noisy([4.25] * 30, noise=0.2)) is None
    assert stall(noisy(np.linspace(4.25, 4.0, 60))) is None
    assert stall(noisy(np.linspace(4.25, 6.0, 60))) is None  # a rise is another fault


@pytest.mark.parametrize("shift", [4.25, 0.0, -4.25])
def test_losses_of_any_sign_stand_still(shift):
    rng = np.random.default_rng(1)
    curve = shift + 0.01 * rng.normal(size=500)
    assert stall(curve)[0] is Stall.NEVER_FELL
    assert stall(curve - 0.05 * np.arange(500) / 500) is None or shift == 4.25


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(-6, 6))
def test_another_unit_makes_the_same_decisions(seed, power):
    level = np.concatenate([np.full(60, 3.0), np.geomspace(3.0, 1.0, 60), np.full(80, 1.0)])
    losses = noisy(level, seed)
    one, other = robust(), robust()
    first = [one.update(loss) for loss in losses]
    second = [other.update(loss * 10.0**power) for loss in losses]
    assert [(d.adjust, d.factor) for d in first] == [(d.adjust, d.factor) for d in second]
    assert len(one.decisions) >= 2


def test_the_fixed_rules_depend_on_the_unit():
    losses = noisy([4.25] * 60)
    decisions = []
    for unit in (1.0, 100.0):
        manager = AdaptiveLRManager(1e-4)
        decisions.append([manager.update(unit * loss).factor for loss in losses])
    assert decisions[0] != decisions[1]


# Evidence ----------------------------------------------------------------------------------------


def test_levels_are_compared_with_their_noise():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(400):
        before, now = 1 + 0.02 * rng.normal(size=(2, 20))
        wrong += against(before, now)[0] in (Verdict.BETTER, Verdict.WORSE)
    assert wrong <= 8  # 2 %
    before, now = 1 + 0.02 * rng.normal(size=(2, 20))
    assert against(before, 0.9 * now)[0] is Verdict.BETTER
    assert against(before, 1.1 * now)[0] is Verdict.WORSE
    quiet = 1 + 0.001 * rng.normal(size=(2, 20))
    assert against(quiet[0], quiet[1])[0] is Verdict.SAME
    assert against(before, before * np.geomspace(0.95, 0.3, 20))[0] is Verdict.BETTER


def test_a_pace_is_compared_with_a_pace():
    before = noisy(np.geomspace(1.0, 0.95, 20), 1)
    assert faster(before, noisy(np.geomspace(0.95, 0.8, 20), 2), 3.0)
    assert not faster(before, noisy(np.geomspace(0.95, 0.9, 20), 2), 3.0)
    assert not faster(before, noisy(np.geomspace(0.95, 0.99, 20), 2), 3.0)


# Trials ------------------------------------------------------------------------------------------


def test_a_higher_rate_that_helps_is_kept_and_a_still_higher_one_only_if_it_is_faster():
    rng = np.random.default_rng(4)
    state = {"log": np.log(4.25)}

    def loss(_, factor):
        # Nothing moves below a factor of 5; above it the pace is the same whatever the factor.
        state["log"] -= 0.02 if factor >= 5 else 0.0
        return float(np.exp(state["log"] + 0.003 * rng.normal()))

    manager = robust()
    factors = driven(manager, loss, 150)
    assert sorted({*factors}) == [1.0, 3.0, 9.0, 27.0]
    assert manager.factor == 9.0
    assert [c.after for c in manager.decisions] == [3.0, 9.0, 27.0, 9.0]


def test_a_rate_that_blows_up_is_taken_back_after_three_losses():
    rng = np.random.default_rng(4)
    manager = robust()

    def loss(_, factor):
        return float((4.25 if factor <= 1 else 9.0) * np.exp(0.003 * rng.normal()))

    factors = driven(manager, loss, 40)
    assert (factors > 1).sum() == 3
    assert manager.factor <= 1.0
    assert "blew up" in manager.decisions[1].reason


def test_where_nothing_helps_trials_are_few_and_the_rate_comes_back():
    rng = np.random.default_rng(4)
    manager = robust(trials=6)
    factors = driven(manager, lambda *_: float(np.exp(0.01 * rng.normal())), 6000)
    assert manager.factor == 1.0
    begun = np.flatnonzero((factors[1:] != 1) & (factors[:-1] == 1))
    assert len(begun) == 6
    pauses = np.diff(begun)[1::2]  # a higher and a lower rate, then a rest
    assert (pauses[1:] > 1.5 * pauses[:-1]).all()
    assert (factors[begun[-1] + 150 :] == 1).all()
    assert "no more trials" in manager.update(1.0).reason


def test_a_loss_that_rises_after_a_higher_rate_was_kept_takes_it_back():
    rng = np.random.default_rng(4)
    state = {"log": np.log(4.25), "since": 0}

    def loss(_, factor):
        state["since"] += factor >= 3
        if factor >= 3:
            state["log"] += -0.02 if state["since"] < 80 else 0.01 * (state["since"] < 160)
        return float(np.exp(state["log"] + 0.003 * rng.normal()))

    manager = robust(max_factor=3.0)
    factors = driven(manager, loss, 260)
    assert factors[60] == 3.0
    back = [c for c in manager.decisions if "the loss rose" in c.reason]
    assert [c.after for c in back] == [1.0]


def test_rates_stay_within_their_limits():
    for model in (saddle, noise_floor):
        factors = course(model, 1, 150, "robust").factors
        assert factors.min() >= 1e-6 / 1e-3
        assert factors.max() <= 100.0


# Simulated trainings -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_trainings_are_left_alone(name):
    touched = sum(course(HEALTHY[name], seed, 120, "robust").changes > 0 for seed in range(60))
    assert touched <= 1


def test_a_saddle_is_left_and_a_noise_floor_lowered():
    for model, below in ((saddle, 0.1), (noise_floor, 0.75)):
        for seed in range(3):
            ours, fixed = (course(model, seed, 300, mode) for mode in ("robust", "fixed"))
            assert ours.losses[-10:].mean() < below * fixed.losses[-10:].mean()


def test_a_real_training_leaves_its_standstill(tmp_path):
    short = replace(STALL, epochs=95)
    fixed, ours = (train(short, METHODS[name], 0, tmp_path) for name in ("fixed", "robust"))
    assert min(fixed.losses) > 4.1
    assert np.abs(np.array(ours.losses[:20]) - 4.25).max() < 0.1
    assert ours.losses[-1] < 2.0
    assert ours.factor > 10.0


# The history -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 20, 1023, 1024, 1025, 5000])
def test_the_history_is_bounded_and_its_means_are_exact(count):
    losses = np.random.default_rng(0).normal(size=count)
    history = History(20)
    for loss in losses:
        history.add(float(loss))
    each = 1
    while count // each >= 1024:
        each *= 2
    whole = losses[: count // each * each].reshape(-1, each).mean(axis=1)
    np.testing.assert_allclose(history.curve, whole, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(history.last, losses[-20:])
    assert len(history.curve) < 1024
    assert history.count == count


def test_losses_near_the_largest_number():
    history = History(8)
    for _ in range(3000):
        history.add(1e308)
    assert (history.curve == 1e308).all()
