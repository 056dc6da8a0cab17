"""A reader that looks first whether what it is to read was read before."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from trainlens.chunk import Chunk
from trainlens.readers._cache.freeze import Arrays, NotAState, Unfreezable, freeze, thaw
from trainlens.readers._cache.identity import Seen, grown, look, same
from trainlens.readers._cache.join import has_new, join
from trainlens.readers._cache.store import Kept, Place, State, shelf
from trainlens.readers.base import Inputs, Reader, Source

_LITTLE = 16
"""A log that has grown by less than this part of its size is not written anew for it."""


def cached(source: Source, inputs: Inputs, anew: Callable[[], Reader]) -> Reader:
    """A reader that is asked once, from what was kept of its run where that still holds.

    Parameters
    ----------
    source : Source
        Not one of several parts: each part is kept by itself.
    inputs : Inputs
        What its format says that it reads.
    anew : callable
        Opens the run at its beginning.
    """
    found = shelf()
    if found is None or _holds(source.path, found.folder):
        return anew()
    path = os.path.abspath(source.path)
    key = (source.format, path, os.path.realpath(path), str(source.path), source.key,
           source.name, source.split)  # fmt: skip
    return Cached(found.place(key), inputs, anew)


def _holds(path: Path, folder: Path) -> bool:
    """Whether a folder lies beneath a path: then nothing may be written there."""
    real = os.path.realpath(path)
    return os.path.commonpath([real, os.path.realpath(folder)]) == real


class Cached:
    """See `cached`.

    Parameters
    ----------
    place : Place
    inputs : Inputs
    anew : callable
    """

    def __init__(self, place: Place, inputs: Inputs, anew: Callable[[], Reader]) -> None:
        self._place = place
        self._inputs = inputs
        self._anew = anew
        self._reader: Reader | None = None

    def poll(self, final: bool = False) -> Chunk:
        """Everything new; see `Reader.poll`. Only a first and last poll is answered from memory."""
        if self._reader is not None or not final:
            self._reader = self._reader or self._anew()
            return self._reader.poll(final)
        return self._whole()

    def _whole(self) -> Chunk:
        try:
            now = [look(path) for path in self._inputs.files]
        except OSError:
            return self._anew().poll(final=True)  # which says what is wrong
        return self._recalled(now) or self._read(now)

    def _recalled(self, now: Sequence[Seen]) -> Chunk | None:
        old = self._place.looks()
        if old is None:
            return None
        if same(old, now):
            kept = self._place.take()
            return kept.chunk if kept else None
        if not self._inputs.grows or not grown(old, now):
            return None
        kept = self._place.take()
        return self._continued(kept, now) if kept else None

    def _continued(self, kept: Kept, now: Sequence[Seen]) -> Chunk | None:
        """What was read before and what is new; None where they cannot be put together."""
        state = kept.state
        if state is None:
            return None
        try:
            reader: Reader = thaw(state.table, state.arrays)
        except NotAState:
            return None
        more = reader.poll()
        first = None if has_new(state.first, more) else join(state.first, more)
        if first is None or any(notice.kind == "replaced" for notice in more.notices):
            return None
        new = now[-1].size - kept.looks[-1].size
        return self._finished(reader, first, now, keep=new * _LITTLE >= now[-1].size)

    def _read(self, now: Sequence[Seen]) -> Chunk:
        reader = self._anew()
        if not self._inputs.grows or not _can_freeze(reader):
            chunk = reader.poll(final=True)
            self._place.put(Kept(now, chunk))
            return chunk
        whole = self._finished(reader, reader.poll(), now)
        if whole is not None:
            return whole
        chunk = self._anew().poll(final=True)
        self._place.put(Kept(now, chunk))
        return chunk

    def _finished(
        self, reader: Reader, first: Chunk, now: Sequence[Seen], keep: bool = True
    ) -> Chunk | None:
        """The end of a log of which `first` was read; how it was before the end is kept."""
        state = _state(reader, first) if keep else None
        chunk = join(first, reader.poll(final=True))
        if chunk is not None and keep:
            self._place.put(Kept(now, chunk, state))
        return chunk


def _can_freeze(reader: Reader) -> bool:
    try:
        freeze(reader, [])
    except Unfreezable:
        return False
    return True


def _state(reader: Reader, first: Chunk) -> State | None:
    arrays: Arrays = []
    try:
        return State(freeze(reader, arrays), [a.copy() for a in arrays], first)
    except Unfreezable:
        return None
