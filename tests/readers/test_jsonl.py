"""What records become: known answers, other programs' logs, sniffing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from trainlens.errors import NotFound
from trainlens.readers import jsonl
from trainlens.readers.base import Source
from trainlens.run import Chunk, Run
from trainlens.schema import header_line, record_line

HERE = Path(__file__)


def load(path: Path) -> Chunk:
    return jsonl.open_source(jsonl.find(path)[0]).poll(final=True)


def read(tmp_path: Path, text: str | bytes, name: str = "log.jsonl") -> Chunk:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def points(chunk: Chunk) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by ``split:name``."""
    return {
        f"{c.split}:{c.name}" if c.split else c.name: list(
            zip(c.step.tolist(), c.value.tolist(), strict=True)
        )
        for c in chunk.columns
    }


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_native_log(tmp_path: Path) -> None:
    log = header_line("a", 1.7e9, {"lr": 0.1}, {"lr": {"kind": "cosine"}})
    log += record_line(1, 1.7e9 + 1, {"total_loss": 2.5}, {"lr": 0.1}, progress=0.5, epoch=0.25)
    log += record_line(2, 1.7e9 + 2, {"total_loss": math.nan}, {"lr": math.inf}, split="val")
    chunk = read(tmp_path, log)
    assert chunk.config == {
        "lr": 0.1,
        "run": "a",
        "created": 1.7e9,
        "schedules": {"lr": {"kind": "cosine"}},
    }
    assert chunk.notices == ()
    found = {(c.name, c.split): c for c in chunk.columns}
    assert set(found) == {
        ("total_loss", None),
        ("lr", None),
        ("progress", None),
        ("total_loss", "val"),
        ("lr", "val"),
    }
    loss = found["total_loss", None]
    assert loss.kind == "loss"
    assert found["lr", None].kind == ""
    assert (loss.step.tolist(), loss.value.tolist()) == ([1], [2.5])
    assert (loss.wall_time.tolist(), loss.epoch.tolist()) == ([1.7e9 + 1], [0.25])
    assert math.isnan(found["total_loss", "val"].value[0])
    assert math.isnan(found["total_loss", "val"].epoch[0])
    assert found["lr", "val"].value[0] == math.inf


def test_a_name_in_both_parts_of_a_native_record(tmp_path: Path) -> None:
    chunk = read(tmp_path, header_line("a", 0.0) + record_line(1, 0.0, {"kl": 1.0}, {"kl": 2.0}))
    assert points(chunk) == {"kl": [(1, 1.0)], "stats/kl": [(1, 2.0)]}
    assert [c.kind for c in chunk.columns] == ["loss", ""]


@pytest.mark.parametrize("there", [1.0, 0.5])
def test_a_log_that_is_but_a_header_with_lists_yet_goes_on_as_records(
    tmp_path: Path, there: float
) -> None:
    head = header_line("a", 1.0, {"loss": {"channel_weights": [1.0, 1.0, 0.5], "lr": [0.1, 0.2]}})
    path = tmp_path / "log.jsonl"
    path.write_bytes(head[: int(there * len(head))])
    reader = jsonl.open_source(Source("jsonl", path))
    assert not reader.poll().columns
    path.write_bytes(head + record_line(7, 2.0, {"loss": 3.0}))
    (found,) = reader.poll().columns
    assert (found.name, found.step.tolist(), found.value.tolist()) == ("loss", [7], [3.0])


def test_a_second_header_starts_another_attempt(tmp_path: Path) -> None:
    run = (
        header_line("a", 1.0, {"lr": 1})
        + record_line(5, 1.0, {"l": 1.0})
        + record_line(6, 2.0, {"l": 2.0})
    )
    again = header_line("b", 2.0, {"lr": 2}) + record_line(1, 3.0, {"l": 3.0})
    chunk = read(tmp_path, run + again)
    assert points(chunk)["l"] == [(5, 1.0), (6, 2.0), (1, 3.0)]
    assert [n.kind for n in chunk.notices] == ["assumed"]
    assert chunk.config["lr"] == 2
    series = Run("x", "x", "jsonl").extend(chunk)["l"]
    assert series.attempts == 2


def test_flat_and_nested_names(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        lines(
            {"step": 1, "loss": 2, "val_loss": 3},
            {"step": 2, "train": {"loss": 1, "acc": {"top1": 0.5}}, "val": {"loss": 4}},
            {"val_loss": 5, "step": 3},
        ),
    )
    assert points(chunk) == {
        "loss": [(1, 2.0)],
        "val_loss": [(1, 3.0), (3, 5.0)],
        "train/loss": [(2, 1.0)],
        "train/acc/top1": [(2, 0.5)],
        "val/loss": [(2, 4.0)],
    }


@pytest.mark.parametrize(
    "key",
    [
        "step",
        "global_step",
        "iteration",
        "iter",
        "_step",
        "num_updates",
        "total_steps",
        "n_iter",
        "update",
        "updates",
        "Step",
        "trainer/global_step",
    ],
)
def test_step_keys(tmp_path: Path, key: str) -> None:
    chunk = read(
        tmp_path, lines({key: 10, "loss": 1.0}, {key: 20.0, "loss": 2.0}, {key: "30", "loss": 3})
    )
    assert points(chunk) == {"loss": [(10, 1.0), (20, 2.0), (30, 3.0)]}
    assert chunk.notices == ()


def test_steps_keep_all_their_digits(tmp_path: Path) -> None:
    chunk = read(tmp_path, lines({"step": 2**60 + 1, "loss": 1.0}))
    assert chunk.columns[0].step.tolist() == [2**60 + 1]


def test_without_steps_the_epoch_counts_or_else_the_record(tmp_path: Path) -> None:
    whole = read(tmp_path, lines({"epoch": 3, "loss": 1.0}, {"epoch": 4.0, "loss": 2.0}))
    assert points(whole) == {"loss": [(3, 1.0), (4, 2.0)]}
    assert whole.columns[0].epoch.tolist() == [3.0, 4.0]
    parts = read(tmp_path, lines({"epoch": 0.5, "loss": 1.0}, {"epoch": 1.0, "loss": 2.0}))
    assert points(parts) == {"loss": [(0, 1.0), (1, 2.0)]}
    bare = read(tmp_path, lines({"loss": 1.0}, {"loss": 2.0}))
    assert points(bare) == {"loss": [(0, 1.0), (1, 2.0)]}
    for chunk in (whole, parts, bare):
        assert [n.kind for n in chunk.notices] == ["assumed"]


def test_a_record_without_a_step_counts_at_the_step_before(tmp_path: Path) -> None:
    chunk = read(tmp_path, lines({"step": 100, "loss": 1.0}, {"epoch": 1, "val_loss": 2.0}))
    assert points(chunk)["val_loss"] == [(100, 2.0)]
    assert [n.kind for n in chunk.notices] == ["assumed"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("timestamp", 1.7e9, 1.7e9),
        ("time", 1.7e9, 1.7e9),
        ("_timestamp", 1700000000, 1.7e9),
        ("ts", 1.7e12, 1.7e9),
        ("wall_time", "2023-11-14T22:13:20Z", 1.7e9),
        ("timestamp", "2023-11-14 22:13:20,000", 1.7e9),
        ("time", "2023-11-14T23:13:20.0+01:00", 1.7e9),
    ],
)
def test_times(tmp_path: Path, key: str, value: object, expected: float) -> None:
    chunk = read(tmp_path, lines({"step": 1, "loss": 1.0, key: value}))
    assert [c.name for c in chunk.columns] == ["loss"]
    assert chunk.columns[0].wall_time.tolist() == [expected]


def test_a_time_of_few_seconds_is_a_metric(tmp_path: Path) -> None:
    chunk = read(tmp_path, lines({"step": 1, "time": 0.25}, {"step": 2, "time": 0.5}))
    assert points(chunk) == {"time": [(1, 0.25), (2, 0.5)]}
    assert np.isnan(chunk.columns[0].wall_time).all()


def test_values(tmp_path: Path) -> None:
    text = '{"step":1,"a":NaN,"b":-Infinity,"c":"nan","d":"-inf","e":"0.82%","f":null,"g":"1e-3"}\n'
    text += '{"step":2,"a":nan,"b":inf,"c":1,"d":2,"e":"7 %","f":3,"g":0.5}\n'
    found = points(read(tmp_path, text))
    assert [v for _, v in found["b"]] == [-math.inf, math.inf]
    assert math.isnan(found["a"][0][1])
    assert math.isnan(found["a"][1][1])
    assert math.isnan(found["c"][0][1])
    assert found["d"] == [(1, -math.inf), (2, 2.0)]
    assert found["e"] == [(1, 0.82), (2, 7.0)]
    assert found["f"] == [(2, 3.0)]
    assert found["g"] == [(1, 0.001), (2, 0.5)]


def test_a_text_that_holds_a_token_is_left_alone(tmp_path: Path) -> None:
    chunk = read(
        tmp_path, '{"step": 1, "note": "a:NaN, b", "loss": NaN}\n{"step": 2, "loss": 1.0}\n'
    )
    assert [s for s, _ in points(chunk)["loss"]] == [1, 2]
    assert [n.message for n in chunk.notices] == ["no numbers in: note (text)"]


def test_true_and_false_are_one_and_zero(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        lines(
            {"step": 1, "loss": 1.0, "ok": True, "hit": False},
            {"step": 2, "loss": 1.0, "ok": False, "hit": 0.5},
            {"step": 3, "loss": 1.0, "ok": True, "hit": True},
        ),
    )
    assert points(chunk)["hit"] == [(1, 0.0), (2, 0.5), (3, 1.0)]
    assert points(chunk)["ok"] == [(1, 1.0), (2, 0.0), (3, 1.0)]
    assert {c.name: c.kind for c in chunk.columns} == {"loss": "", "ok": "flag", "hit": "flag"}
    assert chunk.notices == ()


def test_what_is_no_number_is_named_once(tmp_path: Path) -> None:
    row = {"loss": 1.0, "text": "abc", "list": [1, 2], "nothing": None}
    chunk = read(tmp_path, lines(*({"step": i, **row} for i in range(50))))
    assert set(points(chunk)) == {"loss"}
    assert [n.message for n in chunk.notices] == ["no numbers in: text (text), list (list)"]


def test_a_first_line_of_settings_is_the_configuration(tmp_path: Path) -> None:
    config = {"env_info": "python", "seed": 3, "model": {"depth": 4}}
    chunk = read(tmp_path, lines(config, {"iter": 1, "loss": 1.0}, {"iter": 2, "loss": 2.0}))
    assert chunk.config == config
    assert points(chunk) == {"loss": [(1, 1.0), (2, 2.0)]}
    numbers = read(tmp_path, lines({"lr": 0.1, "batch_size": 32}, {"step": 1, "loss": 1.0}))
    assert numbers.config == {"lr": 0.1, "batch_size": 32}
    first_look = read(tmp_path, lines({"val_loss": 9.0}, {"step": 1, "val_loss": 1.0}))
    assert points(first_look)["val_loss"] == [(0, 9.0), (1, 1.0)]


def test_splits(tmp_path: Path) -> None:
    chunk = read(
        tmp_path,
        lines(
            {"mode": "train", "step": 1, "loss": 1.0},
            {"mode": "validation", "step": 1, "loss": 2.0},
            {"split": "ood", "step": 1, "loss": 3.0},
            {"mode": "full", "step": 2, "loss": 4.0},
        ),
    )
    assert points(chunk) == {
        "train:loss": [(1, 1.0)],
        "val:loss": [(1, 2.0)],
        "ood:loss": [(1, 3.0)],
        "loss": [(2, 4.0)],
    }


@pytest.mark.parametrize(
    "text",
    [
        '[{"step": 1, "loss": 1.0}, {"step": 2, "loss": NaN}]',
        '[\n  {\n    "step": 1,\n    "loss": 1.0\n  },\n  {"step": 2, "loss": NaN}\n]\n',
        '{"step": 1, "loss": 1.0}{"step": 2, "loss": NaN}',
        '{"step": 1, "loss": 1.0} {"step": 2, "loss": NaN}\n',
        '{\n"step": 1,\n"loss": 1.0\n}\n{\n"step": 2,\n"loss": NaN}\n',
        '\ufeff{"step": 1, "loss": 1.0}\r\n\r\n{"step": 2, "loss": NaN}\r\n',
        '{"step": 1, "loss": 1.0},\n{"step": 2, "loss": NaN},\n',
        '{"step": 1, "loss": 1.0}\n[{"step": 2, "loss": NaN}]\n',
    ],
)
def test_layouts(tmp_path: Path, text: str) -> None:
    chunk = read(tmp_path, text)
    (column,) = chunk.columns
    assert column.step.tolist() == [1, 2]
    assert column.value[0] == 1.0
    assert math.isnan(column.value[1])
    assert chunk.notices == ()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.jsonl"):
        jsonl.open_source(Source("jsonl", tmp_path / "nothing.jsonl")).poll()


@pytest.mark.parametrize(
    ("name", "text", "sure"),
    [
        ("a.jsonl", header_line("x", 0.0).decode(), True),
        ("a.jsonl", '{"step": 1, "loss": 2}\n{"step": 2, "los', True),
        ("a.jsonl", '{"step": 1, "loss": 2}\n', True),
        ("log.txt", '{"epoch": 1, "train_loss": 2}\n{"epoch": 2, "train_loss": 2}\n', True),
        ("x.json", '[{"epoch": 1, "main/loss": 2}, {"epoch": 2, "main/loss": 1}]', True),
        ("x.jsonl", '{"loss": 1.0}\n{"loss": 0.5}\n', True),
        ("config.json", '{"epochs": 1, "lr": 2}\n', False),
        ("config.json", '{\n  "step": 1,\n  "lr": 2\n}\n', False),
        ("wandb-summary.json", '{"_step": 10, "loss": 0.5, "_timestamp": 1.7e9}', False),
        ("trainer_state.json", '{\n "epoch": 1, "log_history": [{"step": 1, "loss": 2}]\n}', False),
        ("package.json", '{"name": "x", "version": "1.0", "private": 1}\n', False),
        ("a.ipynb", '{\n "cells": [\n  {"execution_count": 1}\n ],\n "nbformat": 4\n}', False),
        ("a.jsonl", '{"text": "abc"}\n{"text": "def"}\n', False),
        ("a.jsonl", '{"id": 1, "text": "abc"}\n{"id": 2, "text": "def"}\n', False),
        ("a.jsonl", '{"level": "info", "ts": 1.7e9, "msg": "x"}\n' * 3, False),
        ("boxes.json", '[{"image_id": 1, "score": 0.5, "bbox": [1, 2, 3, 4]}]', False),
        ("a.csv", "step,loss\n1,2\n", False),
        ("a.txt", "", False),
        ("a.log", "step 1 loss 2\n" * 5, False),
        ("a.py", 'x = {"step": 1}\n' * 5, False),
    ],
)
def test_sniff(tmp_path: Path, name: str, text: str, sure: bool) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert (jsonl.sniff(path) >= 0.7) is sure
    assert sure or jsonl.sniff(path) == 0


def test_the_run_is_named_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(header_line("my run", 0.0))
    assert jsonl.find(path) == [Source("jsonl", path, name="my run")]
    assert [n.kind for n in load(path).notices] == ["empty"]


def test_iterations_within_an_epoch_run_on(tmp_path: Path) -> None:
    log: list[dict[str, object]] = [{"env_info": "x", "seed": 1}]
    for epoch in (1, 2, 3):
        log += [{"mode": "train", "epoch": epoch, "iter": i, "loss": 1.0} for i in (50, 100, 150)]
        log.append({"mode": "val", "epoch": epoch, "iter": 20, "acc": 0.5})
    found = points(read(tmp_path, lines(*log)))
    assert [s for s, _ in found["train:loss"]] == [50, 100, 150, 250, 300, 350, 450, 500, 550]
    assert [s for s, _ in found["val:acc"]] == [150, 350, 550]


def test_a_restart_is_no_new_epoch(tmp_path: Path) -> None:
    places = ((0, 5), (1, 10), (2, 15), (1, 10), (2, 15))
    log = [{"epoch": e, "step": s, "loss": 1.0} for e, s in places]
    assert [s for s, _ in points(read(tmp_path, lines(*log)))["loss"]] == [5, 10, 15, 10, 15]
