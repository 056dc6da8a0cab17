"""Places of points on each axis, and what a curve amounts to."""

import numpy as np
import pytest
from curve_runs import run

from trainlens.comparison.axis import batch_size, placed
from trainlens.comparison.summary import summarise


def test_axes():
    one = run("a", {"batch_size": 32, "gradient_accumulation_steps": 2}, wall=1000.0, epoch=4.0,
              loss=([4, 8, 12], [3.0, 2.0, 1.0]))  # fmt: skip
    series = one["loss"]
    assert placed(one, series).at.tolist() == [4, 8, 12]
    assert placed(one, series, "epoch").at.tolist() == [1, 2, 3]
    assert placed(one, series, "time").at.tolist() == [0, 4, 8]
    assert placed(one, series, "samples").at.tolist() == [256, 512, 768]


def test_samples_seen_count_more_than_a_batch_size():
    one = run("a", {"batch_size": 7}, loss=([1, 2, 3], [3.0, 2.0, 1.0]),
              samples_seen=([1, 3], [10.0, 50.0]))  # fmt: skip
    assert placed(one, one["loss"], "samples").at.tolist() == [10, 30, 50]


def test_what_is_missing_is_said():
    one = run("a", loss=[1.0, 2.0], gone=[np.nan, np.inf])
    for by, word in (("epoch", "epochs"), ("time", "times"), ("samples", "batch size")):
        assert word in placed(one, one["loss"], by).why
    assert placed(one, one["gone"]).why == "all its values are NaN or infinite"


def test_rows_of_one_epoch_are_one_place():
    one = run("a", epoch=2.0, loss=([1, 2, 3, 4], [4.0, 3.0, 2.0, 1.0]))
    assert placed(one, one["loss"], "epoch").at.tolist() == [0.5, 1, 1.5, 2]
    series = one["loss"]
    object.__setattr__(series, "epoch", np.array([1.0, 1.0, 2.0, 2.0]))
    held = placed(one, series, "epoch")
    assert (held.at.tolist(), held.value.tolist()) == ([1, 2], [3, 1])


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({}, None),
        ({"batch_size": 8}, 8),
        ({"data": {"train_batch_size": 4}, "world_size": 2}, 8),
        ({"global_batch_size": 64, "batch_size": 8}, 64),
        ({"batch_size": "many"}, None),
    ],
)
def test_batch_size(config, size):
    assert batch_size(run("a", config)) == size


def test_summary():
    one = run("a", loss=([10, 20, 30, 40, 50], [5.0, 1.0, 3.0, 2.0, 2.5]))
    found = summarise(placed(one, one["loss"]), "min", [2.0, 3.0, 0.5])
    assert (found.n, found.mean, found.min, found.min_step) == (5, 2.7, 1.0, 20)
    assert found.std == pytest.approx(np.std([5, 1, 3, 2, 2.5], ddof=1))
    assert (found.best, found.best_step, found.last, found.last_step) == (1.0, 20, 2.5, 50)
    assert (found.best_windowed, found.best_windowed_step) == (2.0, 30)
    assert found.area == pytest.approx(np.trapezoid([5, 1, 3, 2, 2.5], dx=10) / 40)
    # One lucky point at 20 is no arrival; two in a row at or below are.
    assert found.reached == {2.0: None, 3.0: 20.0, 0.5: None}
    up = summarise(placed(one, one["loss"]), "max")
    assert (up.best, up.best_step) == (5.0, 10)
    unknown = summarise(placed(one, one["loss"]), "", [1.0])
    assert np.isnan(unknown.best)
    assert unknown.reached == {}


def test_one_point():
    one = run("a", loss=[4.0])
    found = summarise(placed(one, one["loss"]), "min", [5.0])
    assert (found.n, found.mean, found.area, found.reached) == (1, 4.0, 4.0, {5.0: None})
    assert np.isnan(found.std)
