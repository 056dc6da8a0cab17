"""One run that was written in several places at once: found, and read as one.

Two cases, both by what frameworks do: a folder of event files with a CSV log of the same version
beside them (Lightning with two loggers), and one folder of event files a split (``train/`` and
``validation/`` of Keras, ``eval/`` of an Estimator, the folders of torch's ``add_scalars``). For
what was written in parts one after the other see `_parts`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trainlens.chunk import Chunk, Column, Notice
from trainlens.readers._values import known_split
from trainlens.readers.base import Reader, Source
from trainlens.roles import parse_name

_EVENTS, _TABLE = "tensorboard", "csv"
_HPARAMS = re.compile(r"\d{10}\.\d+")
"""Folders that `add_hparams` of torch makes, named after the moment, in that of the run."""


def joined(sources: Sequence[Source]) -> list[Source]:
    """The same runs, those that are parts of one put together.

    Parameters
    ----------
    sources : sequence of Source
        In the order in which they were found.

    Returns
    -------
    list of Source
        A run of several parts stands where its first part stood.
    """
    return _with_tables(_by_split(list(sources)))


def _by_split(sources: list[Source]) -> list[Source]:
    """Folders of event files that are named like splits, under one parent."""
    events = [s for s in sources if s.format == _EVENTS and s.path.is_dir()]
    groups: dict[Path, list[Source]] = {}
    held: dict[Path, list[Source]] = {}
    for source in events:
        groups.setdefault(source.path.parent, []).append(source)
        held.setdefault(source.path, []).append(source)
    wholes: list[tuple[list[Source], Source]] = []
    taken: set[Source] = set()
    for parent, children in groups.items():
        top = held.get(parent, [])
        parts = [replace(c, split=_split_of(c, bool(top))) for c in children]
        parts = [p for p in parts if p.split or (top and _HPARAMS.fullmatch(p.path.name))]
        if _belong(top, parts):
            whole = Source(_EVENTS, parent, parts=(*top, *parts))
            old = [*top, *(replace(p, split="") for p in parts)]
            # A folder within a run of several may hold one that looks like its split.
            if taken.isdisjoint(old):
                wholes.append((old, whole))
                taken.update(old)
    return replaced(sources, wholes)


def _split_of(source: Source, within_run: bool) -> str:
    """The split that a folder is named after: ``validation``, or ``loss_val`` within a run."""
    name = source.path.name
    found = known_split(name)
    if not found and within_run and "_" in name:
        # What `add_scalars("loss", {"train": ..., "val": ...})` of torch makes.
        found = known_split(name.rpartition("_")[2])
    return found or ""


def _belong(top: list[Source], parts: list[Source]) -> bool:
    if top:
        return bool(parts)
    splits = {p.split for p in parts}
    return "train" in splits and len(splits) > 1 and len(splits) == len(parts)


def _with_tables(sources: list[Source]) -> list[Source]:
    """A folder of event files and the one CSV log in it."""
    beside: dict[Path, list[Source]] = {}
    for source in sources:
        if source.format == _TABLE:
            beside.setdefault(source.path.parent, []).append(source)
    wholes: list[tuple[list[Source], Source]] = []
    for events in [s for s in sources if s.format == _EVENTS and s.path.is_dir()]:
        tables = beside.get(events.path, [])
        if len(tables) == 1 and tables[0].path.name == "metrics.csv":
            parts = (*(events.parts or (events,)), tables[0])
            wholes.append(([events, tables[0]], replace(events, parts=parts)))
    return replaced(sources, wholes)


def replaced(sources: list[Source], wholes: list[tuple[list[Source], Source]]) -> list[Source]:
    """The sources with each group of old ones as one new one, where its first one stood."""
    become = {old: new for group, new in wholes for old in group}
    given: set[Source] = set()
    kept = []
    for source in sources:
        new = become.get(source, source)
        if new is source or new not in given:
            given.add(new)
            kept.append(new)
    return kept


class Joined:
    """Reads the parts of a run as one.

    What two parts both hold (the CSV log and the event files of a Lightning run) is taken from
    the part that showed it first; within one poll that is the earlier part.

    Parameters
    ----------
    parts : sequence of (Source, Reader)
    """

    def __init__(self, parts: Sequence[tuple[Source, Reader]]) -> None:
        self._parts = parts
        self._owner: dict[tuple[str, str], int] = {}

    def poll(self, final: bool = False) -> Chunk:
        """Everything new in all parts; see `Reader.poll`."""
        columns: list[Column] = []
        config: dict[str, object] = {}
        notices: list[Notice] = []
        for i, (source, reader) in enumerate(self._parts):
            chunk = reader.poll(final)
            named = (_with_split(c, source.split) for c in chunk.columns)
            columns += [c for c in named if self._owner.setdefault(_key(c), i) == i]
            config = {**chunk.config, **config}
            notices += chunk.notices
        return Chunk(tuple(columns), config, tuple(notices))


def _with_split(column: Column, split: str) -> Column:
    if not split or column.split is not None or parse_name(column.name)[1]:
        return column
    return replace(column, split=split)


def _key(column: Column) -> tuple[str, str]:
    if column.split is not None:
        return column.name, column.split
    metric, split = parse_name(column.name)
    return metric, split or "train"
