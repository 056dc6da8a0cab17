"""What the tests of W&B's logs share: a run's folder, and what is read of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.readers import wandb_writer as ww
from trainlens.chunk import Chunk, Column
from trainlens.readers import wandb

FOLDER = "offline-run-20240102_030405-abc123"

Points = list[tuple[int, float, float, float]]


def folder(tmp_path: Path, data: bytes) -> Path:
    """A run's folder with a log."""
    path = tmp_path / FOLDER
    (path / "files").mkdir(parents=True, exist_ok=True)
    (path / "run-abc123.wandb").write_bytes(data)
    return path


def read(path: Path) -> Chunk:
    (source,) = wandb.find(path)
    return wandb.open_source(source).poll(final=True)


def read_records(tmp_path: Path, *records: bytes) -> Chunk:
    return read(folder(tmp_path, ww.log(records).data))


def column(chunk: Chunk, name: str) -> Column:
    (found,) = [c for c in chunk.columns if c.name == name]
    return found


def steps_and_values(chunk: Chunk, name: str) -> tuple[list[int], list[float]]:
    found = column(chunk, name)
    return found.step.tolist(), found.value.tolist()


def kinds(chunk: Chunk) -> list[str]:
    return [n.kind for n in chunk.notices]


def row(step: int, **values: Any) -> bytes:
    return ww.history({**values, "_step": step, "_timestamp": 1.7e9 + step, "_runtime": step}, step)


def points(chunks: list[Chunk]) -> dict[str, Points]:
    found: dict[str, Points] = {}
    for chunk in chunks:
        for c in chunk.columns:
            axes = (c.step, c.value, c.wall_time, c.epoch)
            rows = zip(*(a.tolist() for a in axes), strict=True)
            found.setdefault(c.name, []).extend(rows)
    return found


def same(a: dict[str, Points], b: dict[str, Points]) -> bool:
    return list(a) == list(b) and all(repr(a[name]) == repr(b[name]) for name in a)
