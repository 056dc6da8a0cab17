"""Shapes in which people keep JSON logs: exact points of each, and what is no log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainlens.readers import jsonl, load
from trainlens.readers.base import Source
from trainlens.run import Run

Points = dict[str, list[tuple[int, float]]]

BOTH: Points = {"train/loss": [(1, 0.9), (2, 0.8)], "val/loss": [(2, 1.0)]}


def points(run: Run) -> Points:
    """Steps and values of each series, named ``split/metric``."""
    return {
        f"{split}/{metric}": list(zip(s.step.tolist(), s.value.tolist(), strict=True))
        for (metric, split), s in run.series.items()
    }


LINES: dict[str, tuple[list[dict[str, Any]], Points]] = {
    "a-row-a-value": (
        [
            {"step": 1, "name": "train/loss", "value": 0.9},
            {"step": 2, "name": "train/loss", "value": 0.8},
            {"step": 2, "name": "val/loss", "value": 1.0},
        ],
        BOTH,
    ),
    "a-row-a-value-with-split": (
        [
            {"metric": "loss", "split": "train", "step": 1, "value": 0.9},
            {"metric": "loss", "split": "train", "step": 2, "value": 0.8},
            {"metric": "loss", "split": "validation", "step": 2, "value": 1.0},
        ],
        BOTH,
    ),
    "step-within-data": (
        [
            {"type": "metrics", "data": {"step": 1, "train_loss": 0.9}},
            {"type": "metrics", "data": {"step": 2, "train_loss": 0.8, "valid_loss": 1.0}},
        ],
        BOTH,
    ),
    "event-names-the-split": (
        [
            {"event": "train", "step": 1, "loss": 0.9},
            {"event": "train", "step": 2, "loss": 0.8},
            {"event": "eval", "step": 2, "loss": 1.0},
        ],
        BOTH,
    ),
    "names-count-more-than-words": (
        [
            {"phase": "train", "step": 1, "loss": 0.9},
            {"phase": "train", "step": 2, "loss": 0.8, "val_loss": 1.0},
        ],
        BOTH,
    ),
    "current-steps-of-llama-factory": (
        [
            {"current_steps": 1, "total_steps": 30, "loss": 0.9},
            {"current_steps": 2, "total_steps": 30, "loss": 0.8, "eval_loss": 1.0},
        ],
        BOTH | {"train/total_steps": [(1, 30.0), (2, 30.0)]},
    ),
    "epoch-of-epochs": (
        [{"epoch": "1/10", "loss": 0.9}, {"epoch": "2/10", "loss": 0.8, "val_loss": 1.0}],
        BOTH,
    ),
    "steps": (
        [{"steps": 1, "loss": 0.9}, {"steps": 2, "loss": 0.8, "val_loss": 1.0}],
        BOTH,
    ),
    "steps-of-an-episode": (
        [{"episode": 1, "steps": 90, "reward": 0.5}, {"episode": 2, "steps": 80, "reward": 0.7}],
        {
            "train/episode": [(0, 1.0), (1, 2.0)],
            "train/steps": [(0, 90.0), (1, 80.0)],
            "train/reward": [(0, 0.5), (1, 0.7)],
        },
    ),
}

DOCUMENTS: dict[str, tuple[Any, Points]] = {
    "history-of-records": (
        {"history": [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.8, "val_loss": 1.0}]},
        BOTH,
    ),
    "epochs-nested": (
        {
            "model": "unet",
            "epochs": [
                {"epoch": 1, "train": {"loss": 0.9}},
                {"epoch": 2, "train": {"loss": 0.8}, "val": {"loss": 1.0}},
            ],
        },
        BOTH,
    ),
    "keys-are-epochs": (
        {"1": {"train_loss": 0.9}, "2": {"train_loss": 0.8, "val_loss": 1.0}},
        BOTH,
    ),
    "keys-name-epochs": (
        {"epoch_1": {"loss": 0.9}, "epoch_2": {"loss": 0.8, "val_loss": 1.0}},
        BOTH,
    ),
    "pairs": ({"loss": [[1, 0.9], [2, 0.8]], "val_loss": [[2, 1.0]]}, BOTH),
    "times-steps-values": (
        {"train/loss": [[1.7e9, 1, 0.9], [1.7e9, 2, 0.8]], "val/loss": [[1.7e9, 2, 1.0]]},
        BOTH,
    ),
    "points": (
        {
            "loss": [{"step": 1, "value": 0.9}, {"step": 2, "value": 0.8}],
            "val_loss": [{"step": 2, "value": 1.0}],
        },
        BOTH,
    ),
    "curves": (
        {"loss": {"x": [1, 2], "y": [0.9, 0.8]}, "val_loss": {"steps": [2], "values": [1.0]}},
        BOTH,
    ),
    "a-list-of-steps-a-split": (
        {"steps": [1, 2], "loss": [0.9, 0.8], "eval_steps": [2], "eval_loss": [1.0]},
        BOTH,
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_points_of_records_are_exact(tmp_path: Path, name: str) -> None:
    rows, expected = LINES[name]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert jsonl.sniff(path) > 0
    assert points(load(path)[0]) == expected


@pytest.mark.parametrize("name", LINES)
def test_points_do_not_depend_on_polls(tmp_path: Path, name: str) -> None:
    rows, expected = LINES[name]
    path = tmp_path / "log.jsonl"
    path.touch()
    reader = jsonl.open_source(Source("jsonl", path))
    run = Run("x", str(path), "jsonl")
    for row in rows:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        run = run.extend(reader.poll())
    assert points(run.extend(reader.poll(final=True))) == expected


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_points_of_documents_are_exact(tmp_path: Path, name: str, indent: int | None) -> None:
    document, expected = DOCUMENTS[name]
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document, indent=indent))
    assert jsonl.sniff(path) > 0
    assert points(load(path)[0]) == expected


def test_a_document_that_is_written_anew_gives_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    rows = [{"epoch": e, "loss": 1 / e} for e in range(1, 6)]
    path.write_text(json.dumps({"history": rows[:1]}))
    reader = jsonl.open_source(Source("jsonl", path))
    run = Run("x", str(path), "jsonl").extend(reader.poll())
    for end in range(2, 6):
        path.write_text(json.dumps({"history": rows[:end]}))
        chunk = reader.poll()
        assert [len(c.step) for c in chunk.columns] == [1]
        run = run.extend(chunk)
    assert points(run.extend(reader.poll(final=True))) == {
        "train/loss": [(e, 1 / e) for e in range(1, 6)]
    }


def test_a_long_document_is_known_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    rows = [{"epoch": e, "loss": 1 / e, "note": "x" * 60} for e in range(1, 1200)]
    path.write_text(json.dumps({"model": "unet", "history": rows}))
    assert points(load(path)[0]) == {"train/loss": [(e, 1 / e) for e in range(1, 1200)]}


def test_a_series_that_tensorboard_exported(tmp_path: Path) -> None:
    path = tmp_path / "run-exp_validation-tag-epoch_loss.json"
    path.write_text(json.dumps([[1.7e9, 0, 2.5], [1.7e9 + 1, 10, 2.25]]))
    run = load(path)[0]
    assert points(run) == {"val/epoch_loss": [(0, 2.5), (10, 2.25)]}
    assert run["epoch_loss", "val"].wall_time.tolist() == [1.7e9, 1.7e9 + 1]


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "question": "a", "score": 0.5},
        {"id": 1, "pred": 1, "label": 0, "loss": 0.5},
        {"idx": 1, "prompt": "a", "response": "b", "reward": 0.5},
        {"number": 1, "value": 0.5, "params": {"lr": 0.1}, "state": "COMPLETE"},
        {"date": "2023-01-01", "open": 1.5, "close": 1.6},
        {"timestamp": 1700000000, "temperature": 20.5, "humidity": 40},
        {"model": "a", "batch": 8, "latency": 1.5, "accuracy": 0.5},
        {"lr": 0.1, "loss": 0.5, "model": "a"},
    ],
)
def test_other_records_are_left_alone(tmp_path: Path, row: dict[str, Any]) -> None:
    rows = [row, row, row]
    array = tmp_path / "a.json"
    array.write_text(json.dumps(rows))
    assert jsonl.sniff(array) == 0.0
    lines = tmp_path / "a.jsonl"
    lines.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert jsonl.sniff(lines) == 0.0


@pytest.mark.parametrize(
    "document",
    [
        {"results": [{"model": "a", "loss": 0.3}, {"model": "b", "loss": 0.2}]},
        {"benchmarks": [{"name": "a", "iterations": 100, "real_time": 5.5}] * 2},
        {"trials": [{"number": 0, "value": 0.5, "intermediate_values": {"0": 0.9, "1": 0.7}}]},
        {"steps": [{"step": 1, "text": "mix"}, {"step": 2, "text": "bake"}]},
        {"train_batch_size": [8, 16], "learning_rate": [0.1, 0.2], "epochs": [3, 5]},
        {"ids": ["a", "b"], "vectors": [[0.1, 0.2], [0.3, 0.4]]},
    ],
)
def test_other_documents_are_left_alone(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    assert jsonl.sniff(path) == 0.0
