"""Final values of a run, for where its history is empty or damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trainlens.readers._lines import Tail
from trainlens.readers._tfevents.wire import Malformed
from trainlens.readers._wandb import beside
from trainlens.readers._wandb.log import Record, Scan
from trainlens.readers._wandb.record import SUMMARY, Item, content, items
from trainlens.readers._wandb.row import Row
from trainlens.readers._wandb.wire import fields


def final_values(log: Path) -> tuple[dict[str, float], str, str]:
    """Numbers of the summary, by name.

    Parameters
    ----------
    log : Path

    Returns
    -------
    values : dict of str to float
        ``_step`` and ``_timestamp`` among them, where known.
    source : str
        Where they stand, to be shown.
    problem : str
        Why the file of the summary could not be read, if so.
    """
    found, problem = beside.summary(log)
    values = Row(_as_items(found)).values
    if any(not name.startswith("_") for name in values):
        return values, "wandb-summary.json", problem
    values = {}
    for row in _summaries(log):
        values.update(row.values)
    return values, "the summary in the log", problem


def _as_items(found: dict[str, Any]) -> Iterator[Item]:
    import json

    return (Item((name,), json.dumps(value).encode()) for name, value in found.items())


def _summaries(log: Path) -> Iterator[Row]:
    tail = Tail(log)
    for piece in tail.objects():
        if piece.oversize:
            continue
        scan = Scan(piece.data, piece.start, piece.torn)
        tail.advance(scan.used)
        for item in scan.items:
            if isinstance(item, Record):
                yield from _rows(item)


def _rows(record: Record) -> Iterable[Row]:
    try:
        said = content(record.data, record.at, record.stop)
        if said.kind != SUMMARY:
            return ()
        return (Row(items(record.data, fields(record.data, said.begin, said.end))),)
    except Malformed:
        return ()
