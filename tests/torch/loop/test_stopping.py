"""Early stopping: plain patience as an oracle, and curves whose end is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.loop import EarlyStopping
from trainlens_torch.state import StateMismatch

SEEDS = range(40)
PATIENCE = 10


def plain(values, patience, min_delta=0.0):
    """Patience as every library has it: where it stops, None if it does not."""
    best, since = math.inf, 0
    for i, value in enumerate(values):
        if value < best - min_delta:
            best, since = value, 0
        else:
            since += 1
        if since >= patience:
            return i
    return None


def stop_of(stopping, values):
    for i, value in enumerate(values):
        if stopping.update(value):
            return i
    return None


def healthy(kind, seed, noise, n=100):
    """Curves that fall to their end."""
    t = np.arange(1, n + 1)
    level = {"power": t**-0.3, "exp": 0.3 + 0.7 * np.exp(-3 * t / n), "line": 1 - 0.5 * t / n}
    return level[kind] * (1 + noise * np.random.default_rng(seed).standard_normal(n))


def ended(kind, seed, noise, n=200):
    """Curves that fall until their 40th value, and then stay or rise."""
    t = np.arange(n)
    rise = 0.003 * (t - 40) * (kind == "overfit")
    level = np.where(t < 40, 1 - 0.6 * t / 40, 0.4 + rise)
    return level * (1 + noise * np.random.default_rng(seed).standard_normal(n))


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=60), st.integers(1, 8), st.sampled_from([0.0, 1.0]),
)  # fmt: skip
def test_without_noise_it_is_plain_patience(values, patience, min_delta):
    stopping = EarlyStopping(patience, noise=None, min_delta=min_delta)
    assert stop_of(stopping, values) == plain(values, patience, min_delta)
    upward = EarlyStopping(patience, noise=None, min_delta=min_delta, mode="max")
    assert stop_of(upward, [-v for v in values]) == plain(values, patience, min_delta)
    assert stopping.best is None or stopping.best == -upward.best


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.05])
def test_fewer_false_stops_than_plain_patience(noise):
    curves = [healthy(kind, seed, noise) for kind in ("power", "exp", "line") for seed in SEEDS]
    ours = sum(stop_of(EarlyStopping(PATIENCE), curve) is not None for curve in curves)
    theirs = sum(plain(curve, PATIENCE) is not None for curve in curves)
    assert ours <= 0.25 * theirs
    assert theirs > 40 or noise < 0.03


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("kind", ["plateau", "overfit"])
def test_an_end_is_found_after_it_and_within_the_stretch(kind, noise):
    at = [stop_of(EarlyStopping(PATIENCE), ended(kind, seed, noise)) for seed in SEEDS]
    assert None not in at
    assert sum(i < 40 for i in at) <= 1
    # Up to four patiences where noise hides the end, from the last improvement that noise made.
    assert np.median(at) - 40 <= {"plateau": 4.5, "overfit": 2.5}[kind] * PATIENCE
    assert noise > 0.01 or np.median(at) - 40 <= 2.5 * PATIENCE


@given(st.floats(1e-3, 1e3), st.integers(0, 20))
def test_the_unit_does_not_matter(unit, seed):
    curve = ended("plateau", seed, 0.03)
    ours = EarlyStopping(PATIENCE)
    scaled = EarlyStopping(PATIENCE)
    assert stop_of(ours, curve) == stop_of(scaled, curve * unit)


@given(st.integers(0, 30), st.integers(0, 120), st.sampled_from(["min", "max"]))
def test_resumed_is_uninterrupted(seed, cut, mode):
    def made():
        return EarlyStopping(PATIENCE, mode=mode)

    curve = ended("plateau", seed, 0.1) * (1 if mode == "min" else -1)
    whole, first, second = made(), made(), made()
    expected = [whole.update(value) for value in curve]
    ours = [first.update(value) for value in curve[:cut]]
    second.load_state_dict(first.state_dict())
    assert ours + [second.update(value) for value in curve[cut:]] == expected
    assert second.state_dict() == whole.state_dict()
    assert (second.reason, second.best_step) == (whole.reason, whole.best_step)


def test_best_is_a_median_and_lowest_is_a_single_value():
    stopping = EarlyStopping(5, window=2, noise=0.0)
    for step, value in enumerate([4.0, 2.0, 1.0, 3.0, 1.5]):
        stopping.update(value, step=100 * step)
    assert (stopping.best, stopping.best_step) == (1.5, 200)
    assert (stopping.lowest, stopping.lowest_step) == (1.0, 200)
    assert stopping.stats() == {"early_stopping_waited": 2 / 5, "early_stopping_best": 1.5}


def test_one_lucky_value_is_no_bar():
    curve = [*np.linspace(2.0, 1.8, 20), 0.5, *np.linspace(1.79, 1.2, 60)]
    assert plain(curve, PATIENCE) == 20 + PATIENCE
    assert stop_of(EarlyStopping(PATIENCE), curve) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(bad):
    stopping = EarlyStopping(3, noise=None)
    assert [stopping.update(v) for v in (2.0, bad, bad, 1.0, bad, bad, bad, 0.5)] == [
        False, False, False, False, False, False, True, True,
    ]  # fmt: skip
    assert stopping.reason == f"3 evaluations in a row were not finite, the last {bad}"
    assert (stopping.best, stopping.count) == (1.0, 2)
    patient = EarlyStopping(3, noise=None, non_finite=None)
    assert not any(patient.update(bad) for _ in range(50))
    assert patient.waited == 0.0


@pytest.mark.parametrize(
    ("patience", "updates"), [("20ba", 20), ("2ep", 20), (0.2, None), ("0.2dur", 20), ("80sp", 20)]
)
def test_patience_in_the_units_of_the_clock(patience, updates):
    clock = Clock(100, updates_per_epoch=10)
    if updates is None:
        with pytest.raises(TypeError, match="patience is a number of evaluations"):
            EarlyStopping(patience, clock=clock)
        return
    stopping = EarlyStopping(patience, clock=clock, noise=None)
    for _ in range(99):
        clock.tick(samples=4)
        if clock.updates % 5 == 0 and stopping.update(1.0):
            break
    assert (stopping.best_step, clock.updates) == (5, 5 + updates)
    assert stopping.reason.startswith("no improvement on 1 for ")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"patience": 0}, ValueError, "patience must be 1"),
        ({"patience": "3ep"}, UsageError, "3ep needs a clock"),
        ({"patience": "0ba", "clock": Clock(9)}, UsageError, "must be above 0"),
        ({"mode": "best"}, UsageError, "mode is"),
        ({"stretch": 0.5}, ValueError, "stretch must be 1"),
        ({"noise": "some"}, TypeError, "noise must be a number"),
        ({"window": 0}, ValueError, "window must be 1"),
    ],
)
def test_bad_settings(options, error, says):
    with pytest.raises(error, match=says):
        EarlyStopping(**options)


def test_another_configuration_is_refused():
    first = EarlyStopping(3)
    first.update(1.0)
    second = EarlyStopping(4)
    with pytest.raises(StateMismatch, match="patience was 3, is 4"):
        second.load_state_dict(first.state_dict())
    assert second.best is None
