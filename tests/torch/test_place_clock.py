"""Places and the clock: what they read, what they refuse, how they count."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.place import UNITS, Place, place  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402


@pytest.mark.parametrize(
    ("given", "value", "unit"),
    [
        (0.1, 0.1, "dur"),
        ("0.1dur", 0.1, "dur"),
        (1.0, 1.0, "dur"),
        (1, 1, "ba"),
        ("500ba", 500, "ba"),
        (" 500 ba ", 500, "ba"),
        ("3ep", 3, "ep"),
        ("2.5ep", 2.5, "ep"),
        ("1e6sp", 1e6, "sp"),
        ("2_000tok", 2000, "tok"),
        (Place(7, "ba"), 7, "ba"),
    ],
)
def test_what_is_read(given, value, unit):
    assert place(given) == Place(value, unit)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (True, TypeError, "not True"),
        (None, TypeError, "not None"),
        ("500", ValueError, "number and its unit"),
        ("", ValueError, "no place"),
        ("ten ep", ValueError, "no place"),
        ("5 parsecs", ValueError, "unknown unit 'parsecs'"),
        (-1, ValueError, "0 or more"),
        ("-0.5dur", ValueError, "0 or more"),
        (float("nan"), ValueError, "finite"),
        (float("inf"), ValueError, "finite"),
        (1.5, ValueError, "more than the whole training"),
        ("500dur", ValueError, '"500ba"'),
    ],
)
def test_what_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        place(given)


@given(st.floats(0, 1e12), st.sampled_from(sorted(UNITS)))
def test_a_place_reads_what_it_writes(value, unit):
    if unit == "dur":
        value = value / 1e12
    written = str(Place(value, unit))
    assert place(written).value == pytest.approx(value, rel=1e-11)
    assert place(written).unit == unit


def test_accumulation_counts_updates_not_micro_batches():
    clock = Clock(10, accumulation=4)
    due = []
    for _ in range(8):
        due.append(clock.due)
        clock.tick(samples=3, tokens=50)
    assert due == [False, False, False, True] * 2
    assert (clock.updates, clock.samples, clock.tokens, clock.progress) == (2, 24, 400, 0.2)


def test_an_epoch_may_end_in_the_middle_of_an_update():
    clock = Clock(10, accumulation=4)
    clock.tick()
    assert clock.tick(update=True), "the two batches that were left are an update"
    assert (clock.updates, clock.micro) == (1, 0)
    clock.tick()
    clock.end_epoch()
    assert (clock.updates, clock.micro, clock.epoch) == (1, 0, 1.0)


def test_a_skipped_update_is_not_counted_and_the_next_one_is_whole():
    clock = Clock(10, accumulation=2)
    clock.tick()
    assert not clock.tick(update=False)
    assert (clock.updates, clock.micro, clock.due) == (0, 0, False)


@pytest.mark.parametrize(
    ("total", "ticks", "progress"),
    [("4ep", 2, 0.125), (8, 2, 0.25), ("40sp", 2, 0.5), ("1000tok", 2, 0.2), (1, 3, 1.0)],
)
def test_progress_is_told_in_the_unit_of_the_total(total, ticks, progress):
    clock = Clock(total, updates_per_epoch=4)
    for _ in range(ticks):
        clock.tick(samples=10, tokens=100)
    assert clock.progress == progress


def test_epochs_without_a_known_length_move_when_they_end():
    clock = Clock("4ep")
    clock.tick()
    assert clock.progress == 0.0
    clock.end_epoch()
    assert (clock.progress, clock.total_updates) == (0.25, None)


def test_epochs_that_are_longer_or_shorter_than_said_never_run_ahead():
    clock = Clock("2ep", updates_per_epoch=3)
    for _ in range(5):
        clock.tick()
    clock.end_epoch()
    assert clock.epoch == 1.0
    for _ in range(5):
        clock.tick()
    assert clock.epoch == 2.0, "held at the end of the second epoch until that ends"


@given(
    total=st.integers(1, 10_000),
    per_epoch=st.integers(1, 500),
    where=st.floats(0, 1),
)
def test_a_place_is_the_same_in_updates_and_epochs(total, per_epoch, where):
    clock = Clock(total, updates_per_epoch=per_epoch)
    updates = where * total
    assert clock.share(Place(updates, "ba")) == pytest.approx(where, abs=1e-12)
    assert clock.share(Place(updates / per_epoch, "ep")) == pytest.approx(
        where, rel=1e-9, abs=1e-12
    )
    epochs = Clock(Place(total / per_epoch, "ep"), updates_per_epoch=per_epoch)
    assert epochs.share(Place(updates, "ba")) == pytest.approx(where, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Clock(0), "above 0, not 0"),
        (lambda: Clock("0ep"), "above 0"),
        (lambda: Clock(0.5), "is a length"),
        (lambda: Clock(10, accumulation=0), "accumulation must be 1 or more"),
        (lambda: Clock(10, updates_per_epoch=0), "updates_per_epoch must be 1 or more"),
        (lambda: Clock(10).share("3ep"), "give the clock updates_per_epoch"),
        (lambda: Clock(10).share("3tok"), "told in optimizer updates"),
        (lambda: Clock(10).tick(samples=-1), "cannot be below 0"),
    ],
)
def test_bad_clocks(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_counts_must_be_whole():
    with pytest.raises(TypeError, match="accumulation must be an integer"):
        Clock(10, accumulation=2.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30))
def test_a_resumed_clock_goes_on_as_the_uninterrupted_one(history):
    def play(clock, events):
        for samples, ends in events:
            clock.tick(samples=samples, tokens=2 * samples)
            if ends:
                clock.end_epoch()

    whole = Clock("5ep", updates_per_epoch=4, accumulation=2)
    play(whole, history)
    for cut in range(len(history) + 1):
        first, second = (Clock("5ep", updates_per_epoch=4, accumulation=2) for _ in range(2))
        play(first, history[:cut])
        second.load_state_dict(first.state_dict())
        play(second, history[cut:])
        assert second.state_dict() == whole.state_dict()
        assert second.progress == whole.progress


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda state: Clock(20), "total was '10ba', is '20ba'"),
        (lambda state: Clock(10, accumulation=2), "accumulation was 1, is 2"),
        (lambda state: state.update(version=7) or Clock(10), "version 7"),
        (lambda state: state.update(owner="Watch") or Clock(10), "belongs to a Watch"),
        (lambda state: state.pop("tokens") is None or Clock(10), "has no 'tokens'"),
        (lambda state: state.clear() or Clock(10), "no saved state"),
    ],
)
def test_a_state_that_does_not_fit_is_named_and_not_loaded(changed, says):
    saved = Clock(10)
    saved.tick(samples=3)
    state = saved.state_dict()
    clock = changed(state)
    with pytest.raises(StateMismatch, match=says):
        clock.load_state_dict(state)
    assert (clock.updates, clock.samples) == (0, 0)
