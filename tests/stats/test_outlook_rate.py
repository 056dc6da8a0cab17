"""Learning rates carried on beyond the end of a log."""

from __future__ import annotations

import numpy as np
import pytest

from trainlens.stats.prolonged import Untold, end_of, prolonged
from trainlens.stats.schedule import recognise

END = 10_000


def futures(factor, share, *, end=END, every=20):
    """What a rate of known formula may become, cut at a share of its run."""
    step = np.arange(0, int(share * END) + 1, every)
    value = 3e-4 * factor(step / END)
    schedule = recognise(step, value)
    return schedule, prolonged(schedule, step.astype(np.float64), value, end)


def warmed(factor, warm=0.05):
    return lambda p: np.minimum(p / warm, factor(np.maximum(p - warm, 0) / (1 - warm)))


FORMULAS = {
    "linear": lambda p: 1 - p,
    "cosine": lambda p: 0.5 + 0.5 * np.cos(np.pi * p),
    "cosine to a tenth": lambda p: 0.1 + 0.45 * (1 + np.cos(np.pi * p)),
    "polynomial": lambda p: (1 - p) ** 2,
    "warm cosine": warmed(lambda p: 0.5 + 0.5 * np.cos(np.pi * p)),
    "warm linear": warmed(lambda p: 1 - p),
    "exponential": lambda p: 0.01**p,
    "inverse-sqrt": lambda p: np.minimum(p / 0.05, np.sqrt(0.05 / np.maximum(p, 0.05))),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_a_known_formula_is_followed_to_its_end(name, share):
    _, (one,) = futures(FORMULAS[name], share)
    assert one.weight == 1.0
    assert one.place[-1] == END
    truth = 3e-4 * FORMULAS[name](one.place / END)
    assert np.abs(one.value - truth).max() < 0.03 * 3e-4


@pytest.mark.parametrize("name", ["linear", "cosine", "warm cosine", "warm linear"])
def test_a_schedule_with_an_end_tells_when_the_run_ends(name):
    schedule, _ = futures(FORMULAS[name], 0.6)
    assert end_of(schedule) == pytest.approx(END, rel=0.02)


def test_a_stable_rate_that_has_begun_to_fall_is_followed():
    _, (one,) = futures(lambda p: np.clip((1 - p) / 0.3, 0, 1), 0.85)
    truth = 3e-4 * np.clip((END - one.place) / (0.3 * END), 0, 1)
    assert np.abs(one.value - truth).max() < 0.05 * 3e-4


def test_behind_its_horizon_a_rate_stays_where_it_is():
    _, (one,) = futures(FORMULAS["cosine to a tenth"], 0.7, end=1.5 * END)
    assert one.value[-1] == pytest.approx(0.1 * 3e-4, rel=0.05)
    assert (np.diff(one.value) <= 1e-12).all()


def test_a_constant_rate_may_stay_or_fall_at_the_end():
    schedule, (stays, falls) = futures(np.ones_like, 0.5)
    assert schedule.family == "constant"
    assert end_of(schedule) is None
    assert (stays.weight, falls.weight) == (0.5, 0.5)
    assert (stays.value == 3e-4).all()
    assert falls.value[-1] == 0.0
    assert falls.value[falls.place < 0.79 * END].min() == 3e-4


def test_steps_may_be_followed_by_another():
    schedule, (stays, falls) = futures(lambda p: np.where(p < 0.3, 1.0, 0.1), 0.6)
    assert schedule.family == "step"
    assert stays.value[-1] == pytest.approx(3e-5)
    assert falls.value[-1] == pytest.approx(3e-6)


def test_a_rate_that_reaches_the_end_has_one_future():
    _, (one,) = futures(np.ones_like, 1.0)
    assert one.weight == 1.0


@pytest.mark.parametrize(
    ("factor", "why"),
    [
        (lambda p: p, "still in its warmup"),
        (lambda p: 0.5 + 0.5 * np.cos(np.pi * (p % 0.1) / 0.1), "cycles of the learning rate"),
        (lambda p: np.random.default_rng(1).uniform(0.2, 1, len(p)), "no schedule"),
    ],
)
def test_what_a_rate_does_not_tell_is_refused_with_a_reason(factor, why):
    with pytest.raises(Untold, match=why):
        futures(factor, 0.55)
