"""The data model: attempts, effective trajectories, names and frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.run import Chunk, Column, Notice, Run, Runs, attempt_labels, unknown


def column(name, step, value=None, **more):
    step = np.asarray(step, np.int64)
    value = np.asarray(step if value is None else value, np.float64)
    return Column(name, step, value, unknown(len(step)), unknown(len(step)), **more)


def run(*columns):
    return Run("r", "r.jsonl", "jsonl").extend(Chunk(tuple(columns)))


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ([], []),
        ([5], [0]),
        ([1, 2, 3, 2, 3, 4], [0, 0, 0, 1, 1, 1]),
        ([0, 10, 0, 10, 0], [0, 0, 1, 1, 2]),
        ([1, 1, 1, 2, 2], [0, 0, 0, 0, 0]),
        ([100, 98, 101, 102], [0, 0, 0, 0]),  # a late point of an asynchronous writer
        ([3, 2], [0, 1]),
    ],
)
def test_attempts(steps, labels):
    assert attempt_labels(np.array(steps, np.int64)).tolist() == labels


@given(st.lists(st.integers(-5, 30), min_size=1, max_size=12))
def test_the_quick_way_of_ascending_steps_says_the_same(steps):
    series = run(column("loss", steps))["loss"]
    assert series.ascends == (sorted(set(steps)) == steps)
    assert series.span == (min(steps), max(steps))
    assert series.attempt.tolist() == attempt_labels(series.step).tolist()
    assert series.attempts == series.attempt[-1] + 1


def test_a_resume_replaces_what_it_overlaps():
    series = run(column("loss", [1, 2, 3, 4, 3, 4, 5], [1, 2, 3, 4, 30, 40, 50]))["loss"]
    assert series.attempts == 2
    assert series.effective.step.tolist() == [1, 2, 3, 4, 5]
    assert series.effective.value.tolist() == [1, 2, 30, 40, 50]
    assert len(series) == 7  # every point is kept


def test_an_appended_run_replaces_everything():
    series = run(column("loss", [0, 1, 2, 3, 0, 1], [9, 9, 9, 9, 1, 2]))["loss"]
    assert series.effective.step.tolist() == [0, 1]
    assert series.effective.value.tolist() == [1, 2]


def reference_effective(steps, values):
    """The same by hand: walk the attempts, each deletes what lies at or after its first step."""
    kept = {}
    label = None
    for attempt, s, v in zip(attempt_labels(np.array(steps)).tolist(), steps, values, strict=True):
        if attempt != label:
            label = attempt
            members = [
                x
                for x, a in zip(steps, attempt_labels(np.array(steps)), strict=True)
                if a == attempt
            ]
            kept = {k: x for k, x in kept.items() if k < min(members)}
        kept[s] = v
    return dict(sorted(kept.items()))


@given(st.lists(st.integers(-5, 20), min_size=1, max_size=40))
def test_effective_is_what_a_plain_loop_finds(steps):
    values = list(range(len(steps)))
    effective = run(column("loss", steps, values))["loss"].effective
    found = dict(zip(effective.step.tolist(), effective.value.tolist(), strict=True))
    assert found == reference_effective(steps, values)
    assert np.all(np.diff(effective.step) > 0)


def test_finite_drops_nan_and_infinity_only():
    series = run(column("loss", [0, 1, 2, 3], [1.0, np.nan, -np.inf, 2.0]))["loss"]
    assert series.finite.step.tolist() == [0, 3]


def test_names_become_metric_and_split():
    found = run(column("val_loss", [1]), column("train/loss", [1]), column("lr", [1]))
    assert set(found.series) == {("loss", "val"), ("loss", "train"), ("lr", "train")}


def test_two_names_for_one_metric_stay_apart():
    found = run(column("loss", [1], [1.0]), column("train/loss", [1], [2.0]))
    assert found["loss"].value.tolist() == [1.0]
    assert found["train/loss", "train"].value.tolist() == [2.0]


def test_a_split_that_the_record_states_is_trusted():
    found = run(column("mpjpe", [1], split="validation"), column("test_time", [1], split="train"))
    assert set(found.series) == {("mpjpe", "val"), ("test_time", "train")}


@given(st.lists(st.integers(0, 5), max_size=5))
def test_extend_in_pieces_is_extend_at_once(sizes):
    total = sum(sizes)
    whole = column("loss", range(total))
    pieces, start = Run("r", "", "x"), 0
    for size in sizes:
        pieces = pieces.extend(Chunk((column("loss", range(start, start + size)),)))
        start += size
    once = Run("r", "", "x").extend(Chunk((whole,)))
    assert pieces.frame().equals(once.frame())


def test_main_prefers_the_total_over_its_parts():
    found = run(column("loss_theta", [1]), column("total", [1]), column("clip_loss", [1]))
    assert found.main("loss", "train").metric == "total"
    assert next(s.metric for s in found.with_role("loss")) == "total"
    assert found.main("gate") is None


def test_frame_is_long_and_in_file_order():
    found = run(column("loss", [2, 1], [0.5, np.nan]))
    frame = Runs([found]).frame()
    assert list(frame.columns) == ["run", "metric", "split", "step", "epoch", "wall_time", "value"]
    assert frame["step"].tolist() == [2, 1]
    assert str(frame["step"].dtype) == "int64"
    assert Runs().frame().empty


def test_wide_has_one_row_a_step():
    wide = run(column("loss", [1, 2]), column("val_loss", [2])).wide()
    assert wide.index.tolist() == [1, 2]
    assert set(wide.columns) == {"train/loss", "val/loss"}


def test_a_missing_series_is_named_with_what_there_is():
    with pytest.raises(KeyError, match="no val/x in run r; it has train/loss"):
        run(column("loss", [1]))["x", "val"]


def test_runs_is_a_sequence():
    runs = Runs([run(), run()], [Notice("empty", "a", "b")])
    assert len(runs[1:]) == 1
    assert runs[1:].notices == runs.notices
    assert str(runs.notices[0]) == "a: b"


def test_steps_and_attempts_ignore_system_metrics():
    found = run(column("loss", [1, 5]), column("cpu", [0, 900, 1], kind="system"))
    assert found.steps == (1, 5)
    assert found.attempts == 1
    assert Run("r", "", "x").steps is None
