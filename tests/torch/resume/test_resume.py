"""Killed and resumed after any update, a training gives the same bits as the uninterrupted one.

Every schedule, with and without freezing, dropout and accumulation, without an adaptive manager
and with it in both modes. What is compared: losses, gradient norms, everything that is logged of
each update, and at the end all weights, statistics and moments of the optimizer. Each schedule is
tried with every third combination, the next one with the next third, and each of them cut twice,
in other places each time; all of it where ``TRAINLENS_RESUME`` is ``all``.
"""

import itertools
import os

import pytest

torch = pytest.importorskip("torch")

from tests.torch.resume.training import UPDATES, Setting, Training  # noqa: E402 - after the skip
from trainlens_torch.schedules import ALL, Cosine, LinearWarmup  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

# Places in shares, updates and epochs.
MADE = {
    "chain": lambda kind: kind(LinearWarmup("3ba"), Cosine(end=0.1)),
    "custom": lambda kind: kind(lambda p: 1.0 - 0.5 * p * p),
    "exponential": lambda kind: kind(end=0.01),
    "inverse-sqrt": lambda kind: kind(warmup="2ba"),
    "piecewise": lambda kind: kind(at=("1ep", "7ba"), factors=(1.0, 0.5, 0.1)),
    "step": lambda kind: kind(at=(0.3, "9ba")),
}
COMBINATIONS = tuple(
    itertools.product((False, True), ("", "seed", "robust"), (False, True), (1, 3))
)
CUTS = range(UPDATES + 1)
EVERYTHING = os.environ.get("TRAINLENS_RESUME") == "all"


def schedule(name):
    return MADE.get(name, lambda kind: kind())(ALL[name])


def combinations(turn):
    """Settings of the schedule whose turn it is, with their numbers."""
    return [
        (number, combination)
        for number, combination in enumerate(COMBINATIONS)
        if EVERYTHING or (number + number // 3 + turn) % 3 == 0
    ]


def cuts(number):
    if EVERYTHING:
        return CUTS
    return [(number * 5 + i * len(CUTS) // 2) % len(CUTS) for i in range(2)]


@pytest.mark.parametrize(("turn", "name"), list(enumerate(sorted(ALL))))
def test_resumed_is_uninterrupted_to_the_bit(turn, name):
    for number, combination in combinations(turn):
        setting = Setting(schedule(name), *combination)
        whole, states, told = Training(setting), {}, []
        wanted = cuts(number + len(name))
        for update in CUTS:
            if update in wanted:
                states[update] = whole.state()
            if update < UPDATES:
                told.append(whole.update())
        for cut, state in states.items():
            again = Training(setting)
            again.resume(state)
            assert [again.update() for _ in range(UPDATES - cut)] == told[cut:], (setting, cut)
            same(again.weights(), whole.weights())


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_all_that_may_change_does_change():
    """The training above would show a part that is not resumed: each moves something."""
    plain = Setting(Cosine(), freezing=False, dropout=False)
    ends = []
    for change in ({}, {"freezing": True}, {"adaptive": "seed"}, {"dropout": True},
                   {"accumulation": 3}, {"schedule": LinearWarmup()}):  # fmt: skip
        training = Training(Setting(**{**vars(plain), **change}))
        for _ in range(UPDATES):
            last = training.update()
        ends.append(last[:2])
    assert len(set(ends)) == len(ends)


def test_two_trainings_of_one_seed_are_the_same():
    a, b = Training(Setting(Cosine())), Training(Setting(Cosine()))
    for _ in range(UPDATES):
        state = torch.get_rng_state()
        ours = a.update()
        torch.set_rng_state(state)
        assert b.update() == ours


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schedule": Cosine(end=0.5)}, "end was 0.0, is 0.5"),
        ({"freezing": False}, "parts was"),
        ({"dropout": False}, "parts was"),
        ({"adaptive": "robust"}, "mode was 'seed', is 'robust'"),
        ({"adaptive": ""}, "adaptive was .* is None"),
        ({"accumulation": 2}, "accumulation was 1, is 2"),
    ],
)
def test_another_configuration_is_named_and_nothing_changes(change, says):
    setting = Setting(Cosine(), adaptive="seed")
    first = Training(setting)
    for _ in range(5):
        first.update()
    second = Training(Setting(**{**vars(setting), **change}))
    before, rates = second.weights(), second.scheduler.get_last_lr()
    with pytest.raises(StateMismatch, match=says):
        second.scheduler.load_state_dict(first.scheduler.state_dict())
    assert (second.clock.updates, second.scheduler.get_last_lr()) == (0, rates)
    same(second.weights(), before)
