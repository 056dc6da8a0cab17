"""Reading one run from its source."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trainlens.readers._epoch_axis import on_training_axis
from trainlens.readers._find import all_readers, lined
from trainlens.readers._join import Joined
from trainlens.readers._meaning import Cleaned
from trainlens.readers._wrapping import wrapping
from trainlens.readers.base import Inputs, Reader, Source
from trainlens.remote.shown import as_shown
from trainlens.run import Run

WORTH = 256 << 10
"""Bytes of a log from which on keeping what was read pays: a smaller one is read anew as fast."""


def open_source(source: Source, cache: bool = False) -> Reader:
    """A reader at the beginning of a run.

    Parameters
    ----------
    source : Source
    cache : bool
        Whether what is read with one last poll is kept in the user's cache folder, and taken
        from there where it was read before.
    """
    return Cleaned(_begin(source, cache), source.path.name)


def _begin(source: Source, cache: bool) -> Reader:
    if source.parts and source.format not in lined():
        return Joined([(part, _begin(part, cache)) for part in source.parts])
    return _recall(source) if cache else _open(source)


def _recall(source: Source) -> Reader:
    try:
        inputs = _inputs(source)
    except OSError:
        inputs = None  # opening it says what is wrong
    if inputs is None or _bytes_in(inputs) < WORTH:
        return _open(source)
    from trainlens.readers._cache import cached

    return cached(source, inputs, lambda: _open(source))


def _inputs(source: Source) -> Inputs | None:
    """What is kept of a log in several parts holds as long as nothing happens to any of them."""
    module = all_readers()[source.format]
    found: Inputs | None = module.inputs(source) if hasattr(module, "inputs") else None
    if found is None or not source.parts:
        return found
    return Inputs((*found.files[:-1], *(part.path for part in source.parts)))


def _open(source: Source) -> Reader:
    module = all_readers()[source.format]

    def plain(path: Path) -> Reader:
        reader: Reader = module.open_source(replace(source, path=path, parts=()))
        return reader

    if source.parts:
        from trainlens.readers._rotated import Rotated

        inputs = _inputs(source)
        of_parts = {part.path for part in source.parts}
        files = inputs.files if inputs else ()
        return Rotated(source, plain, [path for path in files if path not in of_parts])
    kind = wrapping(source.path)
    if not kind:
        return plain(source.path)
    from trainlens.readers._packed import Packed

    return Packed(source.path, kind, plain)


def _bytes_in(inputs: Inputs) -> int:
    """Bytes in the files that there are."""
    size = 0
    for path in inputs.files:
        with suppress(OSError):  # not there, or opening it says what is wrong
            found = os.stat(path)
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size


def read(source: Source, name: str, cache: bool = False, final: bool = True) -> Run:
    """Read one run from its beginning to its end.

    Parameters
    ----------
    source : Source
    name : str
    cache : bool
        See `open_source`.
    final : bool
        Whether an incomplete last record is one that will never be completed.
    """
    chunk = open_source(source, cache).poll(final=final)
    chunk = replace(chunk, notices=tuple(as_shown(source.path, n) for n in chunk.notices))
    place = as_shown(source.path, str(source.path))
    return on_training_axis(Run(name, place, source.format).extend(chunk))
