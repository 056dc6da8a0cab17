"""Entries of a native log that was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import orjson

from trainlens.schema import is_record
from trainlens_torch.record.entry import Entry

__all__ = ["entries"]


def entries(path: str | PathLike[str]) -> Iterator[Entry]:
    """The entries of a log as they were recorded, one after the other.

    Lines that are no record (headers, one that is torn) are passed over.

    Parameters
    ----------
    path : path-like
        A native log, or the folder of a run with ``log.jsonl`` in it. Where there is none, there
        are no entries.

    Raises
    ------
    OSError
        It cannot be read.
    """
    file = Path(path).expanduser()
    file = file / "log.jsonl" if file.is_dir() else file
    if not file.exists():
        return
    with open(file, "rb") as lines:
        for line in lines:
            found = _decoded(line)
            if is_record(found):
                yield _entry(found)


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        pass  # NaN and infinities are not of JSON
    try:
        return json.loads(line)
    except ValueError:
        return None


def _entry(record: dict[str, Any]) -> Entry:
    return Entry(
        record["step"], record.get("timestamp", 0.0), record["losses"], record["stats"],
        record.get("split", "train"), record.get("epoch"), record.get("progress"),
        tuple(record.get("anomalies", ())),
    )  # fmt: skip
