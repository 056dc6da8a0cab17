"""What the text reader makes of some text, for tests."""

from __future__ import annotations

from pathlib import Path

from trainlens.chunk import Chunk
from trainlens.readers import text

Points = dict[str, list[tuple[int, float]]]


def read(tmp_path: Path, content: str | bytes, name: str = "train.log") -> Chunk:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return text.open_source(text.find(path)[0]).poll(final=True)


def points(chunk: Chunk) -> Points:
    return {
        f"{c.split}:{c.name}" if c.split else c.name: list(
            zip(c.step.tolist(), c.value.tolist(), strict=True)
        )
        for c in chunk.columns
    }
