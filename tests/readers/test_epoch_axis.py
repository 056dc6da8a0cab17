"""Validation that counts epochs is put on the axis of the training, on evidence only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.chunk import Chunk, Column, unknown
from trainlens.readers._epoch_axis import on_training_axis
from trainlens.run import Run


def column(name, step, wall=None, epoch=None):
    step = np.asarray(step, np.int64)
    n = len(step)
    return Column(
        name,
        step,
        1.0 / (1.0 + np.arange(n)),
        unknown(n) if wall is None else np.asarray(wall, float),
        unknown(n) if epoch is None else np.asarray(epoch, float),
    )


def run_of(*columns):
    return Run("r", "r", "x").extend(Chunk(columns))


STEPS = np.arange(0, 10_000, 10)
TIMES = 1.7e9 + STEPS * 0.5


def evaluated(per_epoch, first=0, n=10):
    """Validation at the end of each epoch, counted from `first`."""
    ends = (np.arange(n) + 1) * per_epoch
    return column("val_loss", np.arange(n) + first, 1.7e9 + ends * 0.5 + 1), ends


@pytest.mark.parametrize("first", [0, 1])
def test_by_the_clock(first):
    val, ends = evaluated(1000, first)
    run = on_training_axis(run_of(column("train_loss", STEPS, TIMES), val))
    moved = run["loss", "val"]
    assert np.all(np.abs(moved.step - np.minimum(ends, 9990)) <= 10)
    assert moved.epoch.tolist() == list(range(first, first + 10))
    assert [n.kind for n in run.notices] == ["assumed"]
    assert "val/loss: count epochs" in run.notices[0].message
    np.testing.assert_array_equal(run["loss"].step, STEPS)


def test_by_the_epochs_of_the_training():
    train = column("train_loss", STEPS, epoch=STEPS / 1000)
    run = on_training_axis(run_of(train, column("val_loss", np.arange(10))))
    assert run["loss", "val"].step.tolist() == [*range(990, 10_000, 1000)]


def test_one_axis_stays_one_axis():
    val = column("val_loss", np.arange(10), 1.7e9 + np.arange(10) * 0.5)
    run = run_of(column("train_loss", STEPS, TIMES), val)
    assert on_training_axis(run) is run


def test_without_a_clock_or_epochs_nothing_is_assumed():
    run = run_of(column("train_loss", STEPS), column("val_loss", np.arange(10)))
    assert on_training_axis(run) is run


def test_a_validation_every_500_steps_stays():
    steps = np.arange(0, 10_000, 500)
    run = run_of(column("train_loss", STEPS, TIMES), column("val_loss", steps, 1.7e9 + steps * 0.5))
    assert on_training_axis(run) is run


def test_a_run_that_counts_epochs_throughout_stays():
    epochs = np.arange(50)
    times = 1.7e9 + epochs * 60.0
    run = run_of(column("train_loss", epochs, times), column("val_loss", epochs, times + 5))
    assert on_training_axis(run) is run


@given(st.integers(1, 400), st.integers(3, 40), st.integers(0, 1))
def test_points_never_move_beyond_the_training(per_epoch, n, first):
    val, _ = evaluated(per_epoch, first, n)
    run = run_of(column("train_loss", STEPS, TIMES), val)
    moved = on_training_axis(run)["loss", "val"].step
    assert len(moved) == n
    assert moved.max() <= STEPS.max()
    assert np.all(np.diff(moved) >= 0)
