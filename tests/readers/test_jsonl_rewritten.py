"""Arrays and objects that are written anew as they grow: each entry is given once."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from trainlens.chunk import Chunk
from trainlens.readers import jsonl
from trainlens.readers.base import Reader, Source

Row = dict[str, float]


def entries(n: int, seed: int = 0) -> list[Row]:
    """What Chainer's LogReport collects, validation in some entries."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        row: Row = {"main/loss": rng.random(), "epoch": i // 10, "iteration": 500 * (i + 1)}
        if i % 10 == 9:
            row["validation/main/loss"] = rng.random()
        rows.append(row)
    return rows


def points(chunks: list[Chunk]) -> dict[str, list[tuple[int, float, float]]]:
    found: dict[str, list[tuple[int, float, float]]] = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value.tolist(), c.epoch.tolist(), strict=True)
            found.setdefault(c.name, []).extend(rows)
    return found


def expected(rows: list[Row]) -> dict[str, list[tuple[int, float, float]]]:
    found: dict[str, list[tuple[int, float, float]]] = {}
    for row in rows:
        for name in ("main/loss", "validation/main/loss"):
            if name in row:
                place = (int(row["iteration"]), row[name], float(row["epoch"]))
                found.setdefault(name, []).append(place)
    return found


def reader(path: Path) -> Reader:
    return jsonl.open_source(Source("jsonl", path))


def replace(path: Path, text: str) -> None:
    other = path.with_name("tmp")
    other.write_text(text)
    os.replace(other, path)


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("seed", range(4))
def test_an_array_written_anew(tmp_path: Path, seed: int, indent: int | None) -> None:
    rng = random.Random(seed)
    rows = entries(60, seed)
    path = tmp_path / "log"
    path.write_text(json.dumps(rows[:2], indent=indent))
    live, chunks = reader(path), []
    n = 2
    while n < len(rows):
        n = min(n + rng.randrange(1, 6), len(rows))
        text = json.dumps(rows[:n], indent=indent)
        if rng.random() < 0.3:
            path.write_text(text[: rng.randrange(len(text))])  # caught in the middle of writing
            chunks.append(live.poll())
            path.write_text(text)
        else:
            replace(path, text)
        if rng.random() < 0.8:
            chunks.append(live.poll())
    chunks.append(live.poll(final=True))
    assert points(chunks) == expected(rows) == points([reader(path).poll(final=True)])
    assert [n for chunk in chunks for n in chunk.notices] == []


def test_another_order_of_keys_or_indent_is_the_same_array(tmp_path: Path) -> None:
    rows = entries(6)
    path = tmp_path / "log"
    path.write_text(json.dumps(rows[:4]))
    live = reader(path)
    first = live.poll()
    replace(path, json.dumps(rows, indent=1))
    second = live.poll(final=True)
    assert points([first, second]) == expected(rows)
    assert second.notices == ()


def test_another_array_is_read_anew_from_where_it_differs(tmp_path: Path) -> None:
    rows, others = entries(8), entries(8, seed=1)
    path = tmp_path / "log"
    path.write_text(json.dumps(rows))
    live = reader(path)
    live.poll()
    replace(path, json.dumps([*rows[:3], *others[3:]]))
    chunk = live.poll()
    assert points([chunk]) == expected(others[3:])
    assert [n.kind for n in chunk.notices] == ["replaced"]
    replace(path, json.dumps(rows[:2]))
    last = live.poll(final=True)
    assert last.columns == ()
    assert [n.message for n in last.notices] == [
        "the file was cut; the records read before are kept"
    ]


@pytest.mark.parametrize("seed", range(4))
def test_lists_written_anew(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    loss = [rng.random() for _ in range(40)]
    val = [rng.random() for _ in range(40)]
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"loss": loss[:1], "val_loss": val[:1]}))
    live, chunks, n = reader(path), [], 1
    while n < len(loss):
        n = min(n + rng.randrange(1, 5), len(loss))
        text = json.dumps({"loss": loss[:n], "val_loss": val[:n]}, indent=rng.choice([None, 2]))
        if rng.random() < 0.4:
            path.write_text(text[: rng.randrange(len(text))])
            chunks.append(live.poll())
        replace(path, text)
        if rng.random() < 0.8:
            chunks.append(live.poll())
    chunks.append(live.poll(final=True))
    found = {name: [(s, v) for s, v, _ in held] for name, held in points(chunks).items()}
    assert found == {"loss": list(enumerate(loss)), "val_loss": list(enumerate(val))}
    assert [n.kind for chunk in chunks for n in chunk.notices] == ["assumed"]


def test_other_lists_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"loss": [1.0, 2.0]}))
    live = reader(path)
    live.poll()
    replace(path, json.dumps({"loss": [1.0, 3.0, 4.0]}))
    chunk = live.poll()
    assert [(s, v) for s, v, _ in points([chunk])["loss"]] == [(0, 1.0), (1, 3.0), (2, 4.0)]
    assert [n.kind for n in chunk.notices] == ["replaced"]
    path.unlink()
    assert [n.kind for n in live.poll().notices] == ["unreadable"]
