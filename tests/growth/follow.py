"""Watching a folder as the monitor does, and comparing with a cold read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.robustness.reading import no_hang
from trainlens.chunk import Chunk
from trainlens.errors import NotALog, NotFound
from trainlens.readers import discover, open_source
from trainlens.readers.base import HEAD, Source
from trainlens.run import Run, Series

State = frozenset[tuple[object, ...]]
Rows = list[tuple[float | str, ...]]


class Watched:
    """A run that is watched: its reader, and what it gave since it was opened."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.polled = 0
        self._begin()

    def _begin(self) -> None:
        self.reader = open_source(self.source)
        self.run = Run("x", str(self.source.path), self.source.format)

    def poll(self, final: bool) -> None:
        """One poll; where something is gone that was given, the run is opened anew."""
        chunk = self._chunk(final)
        if any(n.kind == "replaced" for n in chunk.notices):
            assert self.polled, f"a first poll speaks of an earlier one: {chunk.notices}"
            self._begin()
            chunk = self._chunk(final)
            assert not any(n.kind == "replaced" for n in chunk.notices), chunk.notices
        self.polled += 1
        self.run = self.run.extend(chunk)

    def _chunk(self, final: bool) -> Chunk:
        try:
            return self.reader.poll(final)
        except NotFound:
            if self.source.path.exists() and any(self.source.path.iterdir()):
                raise
            return Chunk()
        except NotADirectoryError:
            return Chunk()


class Watch:
    """A folder, and the runs in it.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: dict[Source, Watched] = {}
        self._seen: State | None = None

    def poll(self, final: bool = False) -> None:
        """Look what runs there are where that may have changed, and poll all of them."""
        with no_hang():
            seen = _state(self.path)
            if seen != self._seen:
                self._seen = seen
                self._discover()
            for run in self.runs.values():
                run.poll(final)

    def run(self, source: Source) -> Run | None:
        """What was read of a run; it may have had another name when it was found."""
        here = (held for s, held in self.runs.items() if _place(s) == _place(source))
        return next((held.run for held in here), None)

    def _discover(self) -> None:
        found = sources(self.path)
        places = {(s.path, s.key): s for s in found}
        for source in [s for s in self.runs if places.get((s.path, s.key), s) != s]:
            # Another format, other parts, or another name: it is opened anew.
            del self.runs[source]
        for source in found:
            if source not in self.runs:
                self.runs[source] = Watched(source)


def _place(source: Source) -> Source:
    return replace(source, name="")


def _state(path: Path) -> State:
    """What decides which runs there are: the names, and the first bytes of files."""
    found = []
    for folder, _, names in os.walk(path):
        for name in names:
            size = os.stat(os.path.join(folder, name)).st_size
            found.append((folder, name, min(size, HEAD)))
    return frozenset(found)


def sources(path: Path) -> list[Source]:
    """The runs in a folder, none where there are none."""
    try:
        return list(discover(path))
    except NotALog:
        return []


def cold(path: Path) -> dict[Source, Run]:
    """A cold read of everything in a folder."""
    found = {}
    for source in sources(path):
        run = Run("x", str(source.path), source.format)
        found[source] = run.extend(open_source(source).poll(final=True))
    return found


def missing(watch: Watch, path: Path) -> str:
    """What a cold read gives and the polls so far did not, or the other way round."""
    for source, run in cold(path).items():
        live = watch.run(source) or Run("x", "", "")
        if wrong := _series(live, run, ordered=False):
            return f"{source.path.name} before the end: {wrong}"
    return ""


def differences(watch: Watch, path: Path, ordered: bool) -> str:
    """How what was watched to its end differs from a cold read."""
    for source, run in cold(path).items():
        live = watch.run(source)
        if live is None:
            return f"{source} was not watched"
        if wrong := _series(live, run, ordered) or _about(live, run):
            return f"{source.path.name}: {wrong}"
    return ""


def _about(live: Run, run: Run) -> str:
    if repr(live.config) != repr(run.config) and dict(live.config) != dict(run.config):
        return f"config {dict(live.config)}, cold {dict(run.config)}"
    if live.ended != run.ended:
        return f"ended {live.ended}, cold {run.ended}"
    if _lost(live) != _lost(run):
        return f"lost {_lost(live)}, cold {_lost(run)}: {live.notices}, cold {run.notices}"
    return ""


def _lost(run: Run) -> tuple[int, bool]:
    """Records that are lost, and whether there are others that nobody can count."""
    return sum(n.lost or 0 for n in run.notices), any(n.lost is None for n in run.notices)


def _series(live: Run, run: Run, ordered: bool) -> str:
    here = {key: _rows(s) for key, s in live.series.items() if len(s)}
    there = {key: _rows(s) for key, s in run.series.items() if len(s)}
    if here.keys() != there.keys():
        return f"series {sorted(here)}, cold {sorted(there)}"
    for key, rows in there.items():
        more, less = Counter(here[key]) - Counter(rows), Counter(rows) - Counter(here[key])
        if more or less:
            return f"{key}: too much {list(more)[:4]}, too little {list(less)[:4]}"
        if ordered and here[key] != rows:
            return f"{key} in another order: {here[key][:9]}, cold {rows[:9]}"
    return ""


def _rows(series: Series) -> Rows:
    columns = (series.step, series.value, series.wall_time, series.epoch)
    told = [[x if x == x else "nan" for x in np.asarray(c).tolist()] for c in columns]
    return list(zip(*told, strict=True))
