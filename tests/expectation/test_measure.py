"""The number that an expectation speaks of."""

from pathlib import Path

import numpy as np
import pytest

from trainlens.expectation import STATS, Expectation, load, measure, parse
from trainlens.run import Chunk, Column, Run, unknown


def a_run(epochs=None, **series):
    columns = []
    for name, given in series.items():
        step, value = given if isinstance(given, tuple) else (np.arange(len(given)), given)
        step, value = np.asarray(step, np.int64), np.asarray(value, float)
        held = unknown(len(step)) if epochs is None else epochs(step)
        columns.append(Column(name.replace("__", "/"), step, value, unknown(len(step)), held))
    return Run("r", "r", "synthetic").extend(Chunk(tuple(columns)))


def number(run, text):
    (one,) = measure(run, parse(text))
    assert one.why == ""
    return one.value


def why(run, text):
    (one,) = measure(run, parse(text))
    assert np.isnan(one.value)
    return one.why


EVERY = np.arange(3000, 30001, 3000)
VALUE = np.array([130.0, 110.0, 90.0, 105.23, 71.07, 80.0, 78.0, 77.0, 76.0, 75.0])


def handpose():
    return a_run(val_mpjpe=(EVERY, VALUE), train_mpjpe=(EVERY, VALUE - 57.5), total=VALUE / 70)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mean(val/mpjpe) < 1", VALUE.mean()),
        ("std(val/mpjpe) < 1", VALUE.std(ddof=1)),
        ("median(val/mpjpe) < 1", 79.0),
        ("min(val/mpjpe) < 1", 71.07),
        ("best(val/mpjpe) < 1", 71.07),
        ("first(val/mpjpe) < 1", 130.0),
        ("last(val/mpjpe) < 1", 75.0),
        ("end(val/mpjpe) < 1", 77.0),
        ("count(val/mpjpe) < 1", 10),
        ("falls(val/mpjpe) < 1", 7),
        ("rise(val/mpjpe) < 1", 0.0),
        ("rise(val/mpjpe) from 9000 < 1", 105.23 - 90.0),
        ("nonfinite(val/mpjpe) < 1", 0),
        ("change(val/mpjpe) < 1", 77.0 - 105.23),
        ("max/median(val/mpjpe) < 1", 130 / 79),
        ("p90(val/mpjpe) < 1", 130.0),
        ("p10(val/mpjpe) < 1", 71.07),
        ("val/mpjpe at 12000 < 1", 105.23),
        ("val/mpjpe at 13499 < 1", 105.23),
        ("val/mpjpe at 10501 < 1", 105.23),
        ("gap/mpjpe at 3000 < 1", 57.5),
        ("mean(gap/mpjpe) < 1", 57.5),
        ("max(val/mpjpe) from 12000 < 1", 105.23),
        ("max(val/mpjpe) from 12001 < 1", 80.0),
        ("max(val/mpjpe) from 9000 up to 11999 < 1", 90.0),
        ("mean(val/MPJPE) < 1", VALUE.mean()),
        ("mean(val_mpjpe) < 1", VALUE.mean()),
        ("mean(train/loss) < 1", VALUE.mean() / 70),
    ],
)
def test_known_answers(text, wanted):
    assert number(handpose(), text) == pytest.approx(wanted)


def test_a_slope_is_that_of_the_least_squares():
    rng = np.random.default_rng(0)
    step, value = np.arange(0, 500, 5), rng.standard_normal(100)
    run = a_run(epochs=lambda s: s / 50, loss=(step, value))
    assert number(run, "slope(train/loss) < 1") == pytest.approx(np.polyfit(step, value, 1)[0])
    by_epoch = np.polyfit(step / 50, value, 1)[0]
    assert number(run, "slope(train/loss) up to epoch 99 < 1") == pytest.approx(by_epoch)


def test_epochs_of_the_points_or_of_a_series_of_their_own():
    value = np.linspace(4, 1, 101)
    direct = a_run(epochs=lambda s: s / 10, loss=value)
    beside = a_run(loss=value, epoch=np.arange(101) / 10)
    for run in (direct, beside):
        assert number(run, "train/loss at epoch 5 < 1") == pytest.approx(2.5)
        assert number(run, "min(train/loss) up to epoch 5 < 1") == pytest.approx(2.5)
    assert "epochs of train/loss are not in this log" in why(
        a_run(loss=value), "train/loss at epoch 5 < 1"
    )


def test_what_cannot_be_measured_is_said():
    run = handpose()
    assert "no val/rmse in this log; did you mean" in why(run, "val/rmse < 1")
    assert "no point at step 31 600; it ends at step" not in why(run, "val/mpjpe at 31600 < 1")
    assert "has no point at step 31600; it ends at 30000" in why(
        run, "val/mpjpe at 31600 < 1"
    ).replace("\u202f", "")
    assert "has no point there" in why(run, "mean(val/mpjpe) from 40000 < 1")
    assert "1 point of val/mpjpe there is too few" in why(run, "std(val/mpjpe) from 30000 < 1")
    assert "in mm, the expectation in cm" in why(run, "mean(val/mpjpe) < 8 cm")
    assert "no total of both training and validation" in why(run, "mean(gap/total) < 1")
    assert "better high or low" in why(a_run(loss=[1.0], foo=[1.0]), "best(train/foo) < 1")
    assert "no number there" in why(a_run(loss=[np.nan] * 5), "mean(train/loss) < 1")
    assert "has no number" in why(a_run(loss=[np.nan] * 5), "train/loss at 3 < 1")
    assert "in this log" in why(Run("r", "", "x"), "train/loss at 3 < 1")


def test_what_is_broken_is_counted_and_left_out():
    run = a_run(loss=[4.0, np.nan, 2.0, np.inf, 1.0])
    assert number(run, "nonfinite(train/loss) == 0") == 2
    assert number(run, "mean(train/loss) < 1") == pytest.approx(7 / 3)


def test_a_log_that_ends_before_is_not_complete():
    run = handpose()

    def complete(text):
        return measure(run, parse(text))[0].complete

    assert complete("min(val/mpjpe) up to 30000 < 80")
    assert not complete("min(val/mpjpe) up to 60000 < 80")
    assert complete("min(val/mpjpe) < 80")
    assert not complete("val/mpjpe at 60000 < 80")
    assert complete("val/mpjpe at 100 < 80")


def test_patterns_and_roles_mean_several_series():
    run = a_run(loss=[3.0, 2.0], val_loss=[3.0, 2.5], zero_fraction__a=[0.1, 0.2],
                zero_fraction__b=[0.9, 0.95])  # fmt: skip
    assert [m.value for m in measure(run, parse("max(train/zero-fraction/*) < 1"))] == [0.2, 0.95]
    assert len(measure(run, parse("nonfinite(*/*) == 0"))) == 4
    assert len(measure(run, parse("nonfinite(val/*) == 0"))) == 1
    names = [m.series.metric for m in measure(run, parse("max(train/zero_fraction/* ) < 1"))]
    assert names == ["zero_fraction/a", "zero_fraction/b"]


def test_the_norm_of_layers_is_that_of_the_gradient():
    parts = {f"grad_norm__layer{i}": np.full(8, 3.0 + i) for i in range(2)}
    run = a_run(loss=np.ones(8), **parts)
    assert number(run, "median(train/gradient-norm) < 1") == pytest.approx(5.0)


def test_a_later_attempt_replaces_the_earlier():
    step = np.r_[np.arange(10), np.arange(5, 10)]
    run = a_run(loss=(step, np.r_[np.full(10, 9.0), np.full(5, 1.0)]))
    assert number(run, "last(train/loss) < 1") == 1.0
    assert number(run, "count(train/loss) < 1") == 10


def test_a_gap_is_taken_at_the_nearest_step_and_nowhere_else():
    train = np.arange(0, 1000, 10), np.arange(100.0)
    run = a_run(train_acc=train, val_acc=([104, 500, 2000], [50.0, 60.0, 70.0]))
    assert number(run, "count(gap/acc) < 1") == 2
    assert number(run, "first(gap/acc) < 1") == 40.0


def test_the_gap_of_the_losses_needs_no_common_name():
    step = np.arange(9)
    run = a_run(loss_epoch=(step, np.ones(9)), val_loss=(step, np.full(9, 1.5)))
    assert number(run, "end(gap/loss) < 1") == 0.5


def test_odd_runs_give_a_number_or_a_reason():
    big = np.iinfo(np.int64).max
    odd = [-np.inf, np.nan, 0.0, 1e308, -1e308, np.inf, 1e-308, 0.0] * 3
    for step in (np.arange(24), np.zeros(24), big - 24 + np.arange(24, dtype=np.int64),
                 np.tile(np.arange(6), 4)):  # fmt: skip
        for value in (odd, np.zeros(24), np.full(24, np.nan), np.full(24, 1e308)):
            run = a_run(loss=(step, value), val_loss=(step, value), epoch=(step, value))
            for stat in STATS:
                for split in ("train", "gap", "*"):
                    for one in measure(run, Expectation("loss", split, "<", 1.0, stat)):
                        assert np.isfinite(one.value) == (one.why == "")
            for axis in ("step", "epoch"):
                one = Expectation("loss", "train", "<", 1.0, at=3, axis=axis)
                (got,) = measure(run, one)
                assert np.isfinite(got.value) == (got.why == "")


def test_the_tables_of_the_seeds_can_be_measured():
    rng = np.random.default_rng(0)
    step = np.arange(0, 30001, 100)
    fall = 3.5 * np.exp(-step / 15000)
    run = a_run(
        epochs=lambda s: s / 100, loss=(step, fall), val_loss=(step, fall + 0.1),
        lr=(step, np.minimum(step / 1000, 1) * 5e-4), grad_norm=(step, rng.uniform(2, 5, 301)),
        batch_classes=(step, np.full(301, 6)), val_mpjpe=(EVERY, VALUE),
        train_mpjpe=(EVERY, VALUE - 45),
    )  # fmt: skip
    folder = Path(__file__).parents[2] / "examples" / "expectations"
    for path in sorted(folder.glob("*.toml")):
        for asked in load(path):
            for got in measure(run, asked):
                assert got.why == "", f"{path.name}: {asked}"
