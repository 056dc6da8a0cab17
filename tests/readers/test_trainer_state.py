"""Hugging Face trainer_state.json: entries, folders of checkpoints, settings, growth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.readers.trainer_state_writer import expected, log, points, put, state
from trainlens.chunk import Chunk
from trainlens.errors import NotFound
from trainlens.readers import discover, trainer_state
from trainlens.readers._trainer_state.reader import TrainerStateReader
from trainlens.run import Run

REAL = Path(__file__).parents[3] / "shared" / "real_logs"
WHISPER = REAL / "hf_trainer_state" / "P4P4N1CK__whisper-large-v2-japanese-5k-steps"


def read(path: Path) -> Chunk:
    return trainer_state.open_source(trainer_state.find(path)[0]).poll(final=True)


def test_entries_become_series_of_train_and_validation(tmp_path: Path) -> None:
    chunk = read(put(tmp_path / "trainer_state.json", state(log(100))))
    assert points(chunk) == expected(log(100))
    run = Run("r", "", "trainer-state").extend(chunk)
    assert run["loss", "train"].step.tolist() == list(range(10, 101, 10))
    assert run["loss", "val"].value.tolist() == [2 / 50, 2 / 100]
    assert run["loss", "train"].epoch.tolist() == [s / 100 for s in range(10, 101, 10)]
    assert np.isnan(run["loss", "train"].wall_time).all()
    assert chunk.config["planned_steps"] == 500
    assert chunk.config["planned_epochs"] == 5
    assert "global_step" not in chunk.config
    assert "log_history" not in chunk.config
    assert chunk.notices == ()


def test_totals_at_the_end_are_no_points_of_the_curve(tmp_path: Path) -> None:
    totals = {"epoch": 1.0, "step": 100, "total_flos": 1e15, "train_loss": 0.7,
              "train_runtime": 60.0, "train_samples_per_second": 3.5}  # fmt: skip
    chunk = read(put(tmp_path / "trainer_state.json", state([*log(100), totals])))
    assert points(chunk) == expected(log(100))
    assert chunk.config["train_loss_mean"] == 0.7
    assert chunk.config["train_runtime"] == 60.0
    assert "train_loss" not in chunk.config


def test_non_finite_values_are_data(tmp_path: Path) -> None:
    entries = [
        {"loss": math.nan, "step": 1},
        {"loss": math.inf, "step": 2},
        {"loss": -math.inf, "step": 3},
        {"loss": 0.0, "step": 4},
    ]
    value = read(put(tmp_path / "x.json", state(entries))).columns[0].value
    np.testing.assert_array_equal(value, [math.nan, math.inf, -math.inf, 0.0])


def test_plans_that_are_none_are_left_out(tmp_path: Path) -> None:
    chunk = read(put(tmp_path / "x.json", state(log(10), max_steps=-1, num_train_epochs=0)))
    assert not {"planned_steps", "planned_epochs"} & set(chunk.config)


def test_callbacks_keep_their_arguments(tmp_path: Path) -> None:
    callbacks = {"EarlyStoppingCallback": {"args": {"early_stopping_patience": 3}},
                 "TrainerControl": {"args": {"should_log": False}}}  # fmt: skip
    chunk = read(put(tmp_path / "x.json", state(log(10), stateful_callbacks=callbacks)))
    kept = {"EarlyStoppingCallback": {"args": {"early_stopping_patience": 3}}}
    assert chunk.config["stateful_callbacks"] == kept


def test_the_newest_state_of_a_folder_counts(tmp_path: Path) -> None:
    for step in (50, 100, 200):
        put(tmp_path / f"checkpoint-{step}" / "trainer_state.json", state(log(step)))
    put(tmp_path / "last-checkpoint" / "trainer_state.json", state(log(250)))
    source = trainer_state.find(tmp_path)[0]
    assert source.path == tmp_path
    assert len(trainer_state.files(source)) == 4
    chunk = read(tmp_path)
    assert points(chunk) == expected(log(250))
    assert chunk.notices == ()


def test_of_equal_steps_the_longer_history_counts(tmp_path: Path) -> None:
    more = [*log(100), {"epoch": 1.0, "step": 100, "test_loss": 3.0}]
    put(tmp_path / "checkpoint-100" / "trainer_state.json", state(log(100)))
    put(tmp_path / "trainer_state.json", state(more))
    assert points(read(tmp_path)) == expected(more)


def test_an_overwritten_attempt_stays_out_and_is_named(tmp_path: Path) -> None:
    other = [{**e, "loss": 9.0} if "loss" in e else e for e in log(100)]
    put(tmp_path / "checkpoint-100" / "trainer_state.json", state(other))
    put(tmp_path / "checkpoint-200" / "trainer_state.json", state(log(200)))
    put(tmp_path / "checkpoint-50" / "trainer_state.json", state(log(50)))
    chunk = read(tmp_path)
    assert points(chunk) == expected(log(200))
    (notice,) = chunk.notices
    assert notice.kind == "skipped"
    assert notice.where == "checkpoint-100/trainer_state.json"
    assert "10 entries" in notice.message


def test_folders_of_other_names_are_runs_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "trainer_state.json", state(log(100)))
    put(tmp_path / "checkpoint-50" / "trainer_state.json", state(log(50)))
    put(tmp_path / "checkpoint-50" / "v_1" / "trainer_state.json", state(log(20)))
    found = discover(tmp_path)
    assert [s.path for s in found] == [tmp_path, tmp_path / "checkpoint-50" / "v_1"]
    # A state that is named stands alone.
    named = discover(tmp_path / "checkpoint-50" / "trainer_state.json")
    assert [s.format for s in named] == ["trainer-state"]
    assert points(read(named[0].path)) == expected(log(50))


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b'{"log_history": 3, "global_step": 1, "epoch": 2}', b"[1]", b"log_history",
     b'{"log_history": [], "x": 1}', b'# "global_step" "epoch" "log_history": []',
     json.dumps({"cells": ['"global_step": 1, "epoch": 2, "log_history": []']}).encode()],
)  # fmt: skip
def test_other_files_are_not_claimed(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "trainer_state.json", content)
    assert trainer_state.sniff(path) == 0
    assert trainer_state.sniff(tmp_path) == 0


def test_states_are_claimed_whatever_their_name(tmp_path: Path) -> None:
    data = state(log(100))
    assert trainer_state.sniff(put(tmp_path / "a.json", data)) == 0.98
    assert trainer_state.sniff(put(tmp_path / "torn.json", data[: len(data) // 2])) == 0.98
    assert trainer_state.sniff(put(tmp_path / "line.json", data.replace(b"\n", b""))) == 0.98
    assert trainer_state.sniff(tmp_path / "absent.json") == 0


def test_a_state_written_anew_gives_what_is_new(tmp_path: Path) -> None:
    path = put(tmp_path / "trainer_state.json", state(log(100)))
    reader = trainer_state.open_source(trainer_state.find(path)[0])
    chunks = [reader.poll(), reader.poll()]
    assert chunks[1].columns == ()
    put(path, state(log(300)))
    chunks += [reader.poll(), reader.poll(final=True)]
    assert points(*chunks) == expected(log(300))
    assert points(chunks[2])["loss"][0][0] == 110
    assert chunks[3].columns == ()
    assert not [n for c in chunks for n in c.notices]


def test_live_is_cold_while_checkpoints_come_and_go(tmp_path: Path) -> None:
    reader = TrainerStateReader(tmp_path)
    chunks = []
    for step in range(50, 501, 50):
        data = state(log(step), total_flos=step * 1e9)
        new = tmp_path / f"checkpoint-{step}" / "trainer_state.json"
        chunks.append(reader.poll()) if step > 50 else None
        put(new, data[: len(data) // 3])  # the Trainer does not write atomically
        chunks.append(reader.poll())
        new.write_bytes(data)
        chunks.append(reader.poll())
        if step > 100:
            (tmp_path / f"checkpoint-{step - 100}" / "trainer_state.json").unlink()
    chunks.append(reader.poll(final=True))
    cold = read(tmp_path)
    assert points(*chunks) == points(cold) == expected(log(500))
    config: dict[str, Any] = {}
    for chunk in chunks:
        config |= chunk.config
    assert config == cold.config
    assert not [n for c in chunks for n in c.notices]


def test_a_state_being_rewritten_in_place_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint-50" / "trainer_state.json", state(log(50)))
    last = put(tmp_path / "last-checkpoint" / "trainer_state.json", state(log(200)))
    reader = TrainerStateReader(tmp_path)
    chunks = [reader.poll()]
    data = state(log(300))
    for cut in (0, 100, len(data) // 2, len(data)):
        last.write_bytes(data[:cut])
        chunks.append(reader.poll())
    assert points(*chunks) == expected(log(300))
    assert not [n for c in chunks for n in c.notices]


def test_a_resume_from_an_older_checkpoint_is_another_attempt(tmp_path: Path) -> None:
    path = put(tmp_path / "trainer_state.json", state(log(300)))
    reader = TrainerStateReader(tmp_path)
    chunks = [reader.poll()]
    put(path, state(log(200)))
    chunks.append(reader.poll())
    assert [n.kind for n in chunks[-1].notices] == ["replaced"]
    again = log(200) + [{**e, "loss": 7.0} for e in log(260)[len(log(200)) :] if "loss" in e]
    put(path, state(again))
    chunks.append(reader.poll(final=True))
    run = Run("r", "", "trainer-state")
    for chunk in chunks:
        run = run.extend(chunk)
    series = run["loss", "train"]
    assert series.attempts == 2
    assert series.effective.value.tolist() == [v for _, v in expected(again)["loss"]]


def test_a_run_without_states_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holds no trainer_state\.json"):
        TrainerStateReader(tmp_path).poll()
    path = put(tmp_path / "trainer_state.json", state(log(50)))
    reader = TrainerStateReader(path)
    assert points(reader.poll()) == expected(log(50))
    path.unlink()
    (notice,) = reader.poll().notices
    assert notice.kind == "unreadable"
    assert reader.poll().notices == ()


def test_real_states_hold_what_json_says() -> None:
    if not WHISPER.is_dir():
        pytest.skip("the real logs are not here")
    files = sorted(WHISPER.rglob("trainer_state.json"))
    assert len(files) == 6
    total = 0
    for path in files:
        history = json.loads(path.read_bytes())["log_history"]
        total += len(history)
        assert points(read(path)) == expected(history)
    assert total == 821


def test_real_folder_is_one_run_and_its_other_versions_are_others() -> None:
    if not WHISPER.is_dir():
        pytest.skip("the real logs are not here")
    found = [s for s in discover(WHISPER) if s.format == "trainer-state"]
    assert len(found) == 5
    assert found[0].path == WHISPER
    chunk = read(WHISPER)
    assert points(chunk)["eval_loss"][0] == (1000, 0.320997953414917)
    assert points(chunk)["eval_loss"][-1] == (5000, 0.4200145900249481)
    assert chunk.config["train_loss_mean"] == 0.01890342615880072
    assert chunk.config["planned_steps"] == 5000
    assert chunk.notices == ()
