"""Reads one run of an AIM repository; see `trainlens.readers.aim`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._aim import notices as notices
from trainlens.readers._aim.cells import Points
from trainlens.readers._aim.codec import context_number
from trainlens.readers._aim.meta import Meta, column_name, config_of, read_meta, run_properties
from trainlens.readers._aim.series import landmarks, read_series
from trainlens.readers._aim.store import Signature, Store, open_store, signature
from trainlens.readers._aim.tail import GiveUp, Tail
from trainlens.roles import SPLITS, parse_name
from trainlens.run import Chunk, Column, Floats, Ints, Notice

_SYSTEM = "__system__"
_LOWEST = np.iinfo(np.int64).min


class AimReader:
    """One run of a repository.

    Parameters
    ----------
    repo : Path
        The ``.aim`` folder.
    run : str
        Hash of the run.
    sleep : callable
        Called with seconds where a store that is being written has to be copied again.
    """

    def __init__(
        self, repo: Path, run: str, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._repo = repo
        self._run = run
        self._sleep = sleep
        self._seen: tuple[Signature, ...] | None = None
        self._given: dict[tuple[int, str], tuple[Ints, Floats]] = {}
        self._later: dict[tuple[int, str], list[tuple[Ints, Floats]]] = {}
        self._highest: dict[tuple[int, str], int] = {}
        self._names: dict[tuple[int, str], tuple[str, str | None]] = {}
        self._config: Mapping[str, Any] = {}
        self._told: set[Notice] = set()
        self._tail: Tail | None = None

    def poll(self, final: bool = False) -> Chunk:
        """Points that are new since the last poll; see `Reader.poll`."""
        seen = (self._state("meta"), self._state("seqs"))
        if not final:
            if seen == self._seen:
                return Chunk()
            quick = self._followed(seen)
            if quick is not None:
                return quick
        # The points first: whatever they refer to has been written before them.
        with self._open("seqs") as series, self._open("meta") as about:
            meta = self._meta(about)
            series.landmarks = landmarks(self._run, list(meta.traces))
            points, skipped = read_series(series, self._run, meta.is_number)
        settled = seen == (self._state("meta"), self._state("seqs"))
        points, extra = self._rebuilt(points, series, meta) if final else (points, [])
        properties = run_properties(self._repo).get(self._run, {})
        lost = series.opened and not series.damage and settled and self._lost_points(points)
        found = notices.of_run(
            self._folder, points, meta, (about, series), skipped,
            ended="finalized" in properties, final=final, settled=settled,
        )  # fmt: skip
        self._seen = seen
        self._tail = self._new_tail(seen[1], series, points)
        return Chunk(
            columns=tuple(self._columns(points, meta, final)),
            config=self._new_config(config_of(meta, self._run, properties)),
            notices=(*self._overwritten(lost), *self._untold([*extra, *found])),
        )

    def _followed(self, seen: tuple[Signature, Signature]) -> Chunk | None:
        # What only the new bytes of the log tell; None where the stores must be read.
        if self._tail is None or self._seen is None:
            return None
        if _tables(seen[0]) != _tables(self._seen[0]):
            return None
        try:
            points = self._tail.read(seen[1])
        except GiveUp:
            self._tail = None
            return None
        if any((p.context, p.name) not in self._names or self._goes_back(p) for p in points):
            self._tail = None
            return None
        self._seen = seen
        for p in points:
            self._later.setdefault((p.context, p.name), []).append((p.step, p.time))
            self._highest[p.context, p.name] = int(p.step[-1])
        return Chunk(columns=tuple(self._column(p) for p in points))

    def _goes_back(self, p: Points) -> bool:
        # A step that was logged anew takes the place of the old one: only a full read can tell.
        highest = self._highest.get((p.context, p.name))
        rises = highest is None or int(p.step[0]) > highest
        return not (rises and bool((p.step[1:] > p.step[:-1]).all()))

    def _new_tail(self, seen: Signature, store: Store, points: list[Points]) -> Tail | None:
        logs = [name for name in store.ends if store.ends[name]] or list(store.ends)
        if len(logs) != 1 or store.damage or any(p.incomplete for p in points):
            return None
        folder = self._repo / "seqs" / "chunks" / self._run
        return Tail(folder, self._run, seen, logs[0], store.ends[logs[0]])

    def _state(self, area: str) -> Signature:
        return signature(self._repo / area / "chunks" / self._run)

    def _folder(self, area: str) -> str:
        return f"{self._repo.name}/{area}/chunks/{self._run}"

    def _open(self, area: str) -> Any:
        return open_store(self._repo / area / "chunks" / self._run, sleep=self._sleep)

    def _meta(self, store: Store) -> Meta:
        meta = read_meta(store, self._run)
        if store.opened and not store.damage:
            return meta
        with open_store(self._repo / "meta" / "index", sleep=self._sleep) as index:
            spare = read_meta(index, self._run)
        return Meta(
            params={**spare.params, **meta.params},
            contexts={**spare.contexts, **meta.contexts},
            traces={**spare.traces, **meta.traces},
            end_time=meta.end_time if meta.end_time is not None else spare.end_time,
        )

    def _rebuilt(
        self, points: list[Points], store: Store, meta: Meta
    ) -> tuple[list[Points], list[Notice]]:
        # Tables that the store does not list are leftovers, or its list was cut.
        if not store.unlisted:
            return points, []
        place = self._repo / "seqs" / "chunks" / self._run
        with open_store(place, sleep=self._sleep, rebuild=True) as whole:
            more, _ = read_series(whole, self._run, meta.is_number)
        gained = sum(len(p.step) for p in more) - sum(len(p.step) for p in points)
        if gained <= 0:
            return points, []
        return more, [notices.rebuilt(self._folder("seqs"), gained)]

    def _columns(self, points: list[Points], meta: Meta, final: bool) -> Iterator[Column]:
        for p in points:
            key = (p.context, p.name)
            fresh = _fresh((p.step, p.time), self._known(key))
            if not final:
                order = np.argsort(p.step, kind="stable")
                self._given[key] = (p.step[order], p.time[order])
                self._highest[key] = int(p.step.max(initial=_LOWEST))
            if not fresh.any():
                continue
            if key not in self._names:
                self._names[key] = self._name(key, meta)
            yield self._column(p.take(fresh))

    def _column(self, p: Points) -> Column:
        name, split = self._names[p.context, p.name]
        kind = "system" if p.name.startswith(_SYSTEM) else ""
        return Column(name, p.step, p.value, p.time, p.epoch, split, kind)

    def _lost_points(self, points: list[Points]) -> bool:
        # Whether points that were given are there no longer: overwritten, or of a deleted run.
        there = {(p.context, p.name): p for p in points}
        for key in {*self._given, *self._later}:
            known, now = self._known(key), there.get(key)
            if known is None:
                continue
            self._given[key] = known
            if now is None:
                return True
            order = np.argsort(now.step, kind="stable")
            if _fresh(known, (now.step[order], now.time[order])).any():
                return True
        return False

    def _overwritten(self, lost: bool) -> list[Notice]:
        if not lost:
            return []
        what = "points were overwritten or deleted; those that were read before are kept"
        return [Notice("replaced", self._folder("seqs"), what)]

    def _known(self, key: tuple[int, str]) -> tuple[Ints, Floats] | None:
        # Steps and times that were given, by step; of a step that was given twice, the last.
        parts = [self._given[key]] if key in self._given else []
        parts += self._later.pop(key, [])
        if not parts:
            return None
        step, moment = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(step, kind="stable")
        last = np.append(np.diff(step[order]) != 0, True)[: len(order)]
        return step[order][last], moment[order][last]

    def _name(self, key: tuple[int, str], meta: Meta) -> tuple[str, str | None]:
        context, name = key
        held = meta.contexts.get(context)
        if held is None:
            held = _guessed(context)
        name, split = column_name(name, held)
        if split and parse_name(name)[1] == SPLITS.get(split.lower()):
            # "val_loss" in the subset "val": the name says it all.
            split = None
        taken = {_place(*other) for other in self._names.values()}
        if _place(name, split) in taken:
            name = f"{name}{{subset={held.get('subset', '')}}}"
        if _place(name, split) in taken:
            name = f"{name}{{context={context & (1 << 64) - 1:016x}}}"
        return name, split

    def _new_config(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        if repr(config) == repr(self._config):
            return {}
        self._config = config
        return config

    def _untold(self, found: list[Notice]) -> tuple[Notice, ...]:
        new = tuple(n for n in dict.fromkeys(found) if n not in self._told)
        self._told.update(new)
        return new


def _tables(found: Signature) -> Signature:
    return tuple(pair for pair in found if not pair[0].endswith(".log"))


def _fresh(points: tuple[Ints, Floats], given: tuple[Ints, Floats] | None) -> NDArray[np.bool_]:
    # Steps and times; a step that was logged anew is a new point: its time differs.
    if given is None or not len(given[0]):
        return np.ones(len(points[0]), np.bool_)
    step, logged = given
    place = np.minimum(np.searchsorted(step, points[0]), len(step) - 1)
    same = (logged[place] == points[1]) | (np.isnan(logged[place]) & np.isnan(points[1]))
    fresh: NDArray[np.bool_] = ~((step[place] == points[0]) & same)
    return fresh


def _place(name: str, split: str | None) -> tuple[str, str]:
    # Where a run puts a column: the names of two contexts must not meet there.
    if split is None:
        metric, found = parse_name(name)
        return metric, found or "train"
    return name, parse_name(f"{split}/x")[1] or split


@lru_cache(maxsize=1)
def _known_contexts() -> dict[int, dict[str, str]]:
    usual: list[dict[str, str]] = [{}, *({"subset": word} for word in SPLITS)]
    return {context_number(context): context for context in usual}


def _guessed(context: int) -> dict[str, str]:
    # The list of contexts is lost: the usual ones are known by their number.
    unknown = {"context": f"{context & (1 << 64) - 1:016x}"}
    return _known_contexts().get(context, unknown)
