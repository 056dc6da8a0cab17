"""Sizes of micro-batches, simulated against a memory of known size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from trainlens_torch.memory import AdaptiveBatch
from trainlens_torch.state import StateMismatch


def simulate(batch, updates, room):
    """Sizes used and failures, where `room(update)` samples fit."""
    sizes, failed = [], []
    for update in range(updates):
        while batch.size > room(update):
            failed.append((update, batch.size))
            assert batch.failed()
        sizes.append(batch.size)
        batch.worked()
    return sizes, failed


@given(samples=st.integers(0, 500), size=st.integers(1, 60))
def test_pieces_are_few_and_even_and_complete(samples, size):
    found = AdaptiveBatch(size).pieces(samples)
    assert sum(found) == samples
    assert max(found) <= size
    assert max(found) - min(found) <= 1
    assert len(found) == max(1, -(-samples // size))


@given(
    room=st.integers(1, 300), initial=st.integers(1, 128), times=st.integers(1, 4),
    grow=st.integers(1, 9), remember=st.integers(1, 40), updates=st.integers(1, 300),
)  # fmt: skip
def test_it_stays_within_bounds_and_fails_less_and_less(
    room, initial, times, grow, remember, updates
):
    ceiling = initial * times
    batch = AdaptiveBatch(initial, ceiling=ceiling, grow_after=grow, remember=remember)
    sizes, failed = simulate(batch, updates, lambda update: room)
    assert all(1 <= size <= min(room, ceiling) for size in sizes)
    for size in {size for _, size in failed}:
        at = [update for update, one in failed if one == size]
        for i, (before, after) in enumerate(pairwise(at)):
            assert after - before >= remember * 2**i


def test_it_finds_the_room_again():
    batch = AdaptiveBatch(8, ceiling=64, grow_after=10, remember=50)
    sizes, failed = simulate(batch, 400, lambda update: 20 if update < 100 else 64)
    assert sizes[:31] == [8] * 10 + [16] * 21
    # 32 did not fit at update 20: tried again behind 70, remembered until 170, then it fits.
    assert failed == [(20, 32), (70, 32)]
    assert sizes.index(32) == 170
    assert sizes[-1] == 64


def test_memory_in_use_holds_growing_back():
    batch = AdaptiveBatch(8, ceiling=32, grow_after=3, target=0.8)
    for share, size in ((0.3, 8), (0.9, 8), (0.41, 8), (0.1, 8), (0.1, 8), (0.4, 16)):
        assert batch.due == (batch._good == 2)
        batch.worked(share)
        assert batch.size == size
    assert AdaptiveBatch(8, grow_after=1).due is False  # at its ceiling


def test_a_smaller_piece_that_failed_counts():
    batch = AdaptiveBatch(64, floor=3)
    assert batch.failed(20)
    assert batch.size == 10
    assert batch.failed()
    assert batch.failed()
    assert batch.size == 3
    assert not batch.failed()
    assert batch.size == 3


@given(cut=st.integers(0, 60), room=st.integers(1, 60))
def test_resumed_is_uninterrupted(cut, room):
    def made():
        return AdaptiveBatch(16, ceiling=64, grow_after=4, remember=7)

    whole, first, second = made(), made(), made()
    expected, _ = simulate(whole, 60, lambda update: room)
    ours, _ = simulate(first, cut, lambda update: room)
    second.load_state_dict(first.state_dict())
    assert ours + simulate(second, 60 - cut, lambda update: room)[0] == expected
    assert second.state_dict() == whole.state_dict()


def test_a_foreign_state_is_refused():
    batch, state = AdaptiveBatch(16), AdaptiveBatch(16).state_dict()
    with pytest.raises(StateMismatch, match="initial was 16, is 8; ceiling was 16, is 8"):
        AdaptiveBatch(8).load_state_dict(state)
    for size in (0, 17, "16", None):
        with pytest.raises(StateMismatch, match="size in the state"):
            batch.load_state_dict({**state, "size": size})
    assert batch.size == 16


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"initial": 0}, "initial must be 1"),
        ({"initial": 8, "ceiling": 4}, "ceiling must be 8"),
        ({"initial": 8, "floor": 9}, "floor is 9, above"),
        ({"initial": 8, "target": 1.5}, "target must be above 0"),
        ({"initial": 8, "grow_after": 0}, "grow_after must be 1"),
        ({"initial": 8, "remember": 0}, "remember must be 1"),
    ],
)
def test_bad_settings(options, says):
    with pytest.raises(ValueError, match=says):
        AdaptiveBatch(**options)
