"""A training that does not come back is stopped, and the device is seldom asked."""

import math

import pytest

torch = pytest.importorskip("torch")

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.guard import BlackBox, Diverged, UpdateGuard  # noqa: E402


def made(stop_after, box=False, **more):
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    kept = BlackBox(model, 20) if box else None
    return model, UpdateGuard(optimizer, stop_after=stop_after, box=kept, **more)


def feed(model, guard, gradients):
    """Calls until it stops; None where it does not."""
    for call, gradient in enumerate(gradients, 1):
        model.weight.grad = torch.full_like(model.weight, gradient)
        try:
            guard.step(step=call)
        except Diverged:
            return call
    return None


@pytest.mark.parametrize("fine", range(7))
def test_it_stops_after_so_many_in_a_row_or_twice_as_many(fine):
    model, guard = made(5)
    stopped = feed(model, guard, [1.0] * fine + [math.nan] * 40)
    assert 5 <= stopped - fine <= 9
    assert guard.report()["in_a_row"] == stopped - fine
    assert bool(model.weight.isfinite().all())


def test_what_comes_back_is_not_stopped():
    model, guard = made(5)
    assert feed(model, guard, ([math.nan] * 4 + [1.0]) * 20) is None
    assert guard.report()["skipped"] == 80
    assert feed(*made(None), [math.nan] * 50) is None


def test_the_device_is_asked_once_in_so_many_calls():
    model, guard = made(10, way="restore")
    feed(model, guard, [1.0])  # makes the state
    with counted() as reads:
        feed(model, guard, [1.0] * 8)
        assert reads.count == 0
        feed(model, guard, [1.0])
    assert guard.report()["in_a_row"] == 0


def test_the_error_says_what_was_bad_first_and_leaves_all_as_it_was():
    model, guard = made(3, box=True)
    feed(model, guard, [1.0, 1.0])  # the next call is the third, which asks, and then the sixth
    before = model.weight.detach().clone()
    model.weight.grad = torch.full_like(model.weight, math.inf)
    for step in (10, 11, 12):
        guard.step(step=step)
    with pytest.raises(Diverged, match="4 updates in a row were skipped") as told:
        guard.step(step=13)
    said = str(told.value)
    assert "for gradient" in said
    assert "step 10 was the first bad one (gradient): gradient of weight" in said
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True])
def test_wrong_numbers_are_told(wrong):
    with pytest.raises(ValueError, match="stop_after is a whole number above 0"):
        made(wrong)
