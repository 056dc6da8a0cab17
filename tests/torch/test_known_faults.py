"""Faults of torch's own schedulers, shown, and that they are not here."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler as theirs  # noqa: E402 - after the skip

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules.cosine import Cosine  # noqa: E402
from trainlens_torch.schedules.linear_warmup import LinearWarmup  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

T = 100


def optimizer(lr=0.1):
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr)


def rate(made):
    return made.param_groups[0]["lr"]


def walk(made, scheduler, steps):
    for _ in range(steps):
        made.step()
        with warnings.catch_warnings():
            # torch warns of its own SequentialLR.
            warnings.simplefilter("ignore")
            scheduler.step()


def sequential(made):
    warmup = theirs.LinearLR(made, 0.01, 1.0, 10)
    return theirs.SequentialLR(made, [warmup, theirs.CosineAnnealingLR(made, T - 10)], [10])


def test_building_a_scheduler_after_the_optimizer_was_loaded():
    first = optimizer()
    walk(first, sequential(first), 50)
    second = optimizer()
    second.load_state_dict(first.state_dict())
    sequential(second)
    assert rate(second) != rate(first), "torch starts the warmup again"

    first = optimizer()
    scheduler = Scheduler(first, Clock(T), lr=Cosine())
    walk(first, scheduler, 50)
    second = optimizer()
    second.load_state_dict(first.state_dict())
    Scheduler(second, Clock(T), lr=Cosine()).load_state_dict(scheduler.state_dict())
    assert rate(second) == rate(first) == 0.1 * Cosine().factor(0.5)


def test_loading_the_scheduler_alone_writes_the_rate():
    first, second = optimizer(), optimizer()
    scheduler = theirs.CosineAnnealingLR(first, T)
    walk(first, scheduler, 50)
    theirs.CosineAnnealingLR(second, T).load_state_dict(scheduler.state_dict())
    assert rate(second) == 0.1 != rate(first), "torch leaves the optimizer as it was"

    first, second = optimizer(), optimizer()
    scheduler = Scheduler(first, Clock(T), lr=Cosine())
    walk(first, scheduler, 50)
    Scheduler(second, Clock(T), lr=Cosine()).load_state_dict(scheduler.state_dict())
    assert rate(second) == rate(first)


def test_resuming_with_another_length_is_said():
    first, second = optimizer(), optimizer()
    longer = theirs.CosineAnnealingLR(second, 2 * T)
    longer.load_state_dict(theirs.CosineAnnealingLR(first, T).state_dict())
    assert longer.T_max == T, "torch keeps the length of the checkpoint and says nothing"

    saved = Scheduler(optimizer(), Clock(T), lr=Cosine()).state_dict()
    with pytest.raises(StateMismatch, match="total was '100ba', is '200ba'"):
        Scheduler(optimizer(), Clock(2 * T), lr=Cosine()).load_state_dict(saved)


@pytest.mark.parametrize(
    "make",
    [
        lambda made: theirs.LambdaLR(made, lambda k: 1 - k / T),
        lambda made: theirs.CosineAnnealingLR(made, T),
        lambda made: theirs.OneCycleLR(made, 0.1, T),
    ],
)
def test_a_group_that_comes_later(make):
    made = optimizer()
    scheduler = make(made)
    walk(made, scheduler, 3)
    made.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.5})
    try:
        walk(made, scheduler, 1)
    except (KeyError, ValueError, IndexError):
        pass  # LambdaLR, OneCycleLR
    else:
        walk(made, scheduler, 40)
        # CosineAnnealingLR goes on from wherever the new group is: not on the schedule.
        assert made.param_groups[1]["lr"] != pytest.approx(0.5 * Cosine().factor(0.44), rel=1e-3)

    made = optimizer()
    scheduler = Scheduler(made, Clock(T), lr=Cosine())
    walk(made, scheduler, 3)
    made.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.5})
    walk(made, scheduler, 1)
    assert [g["lr"] for g in made.param_groups] == [f * Cosine().factor(0.04) for f in (0.1, 0.5)]


def test_a_rate_that_was_set_by_hand():
    made = optimizer()
    scheduler = theirs.ExponentialLR(made, 0.9)
    made.param_groups[0]["lr"] = 7.0
    walk(made, scheduler, 1)
    assert rate(made) == pytest.approx(6.3), "torch multiplies what it finds"

    made = optimizer()
    scheduler = Scheduler(made, Clock(T), lr=Cosine())
    made.param_groups[0]["lr"] = 7.0
    walk(made, scheduler, 1)
    assert rate(made) == 0.1 * Cosine().factor(0.01)


def test_beyond_the_end():
    made = optimizer()
    walk(made, theirs.CosineAnnealingLR(made, T), T + 50)
    assert rate(made) > 0.04, "torch's cosine rises again"

    made = optimizer()
    walk(made, Scheduler(made, Clock(T), lr=Cosine(end=0.01)), T + 50)
    assert rate(made) == pytest.approx(0.001, rel=1e-12)


def test_a_tensor_rate_stays_the_tensor_that_compiled_code_holds():
    made = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=torch.tensor(0.1))
    held = rate(made)
    scheduler = Scheduler(made, Clock(T), lr=LinearWarmup(0.5))
    walk(made, scheduler, 10)
    assert rate(made) is held
    assert held.item() == pytest.approx(0.02)
