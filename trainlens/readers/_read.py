"""Reading one run from its source."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trainlens.readers._epoch_axis import on_training_axis
from trainlens.readers._find import all_readers
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
    begin = _recall if cache else _open
    if source.parts:
        reader: Reader = Joined([(part, begin(part)) for part in source.parts])
    else:
        reader = begin(source)
    return Cleaned(reader, source.path.name)


def _recall(source: Source) -> Reader:
    module = all_readers()[source.format]
    try:
        inputs = module.inputs(source) if hasattr(module, "inputs") else None
    except OSError:
        inputs = None  # opening it says what is wrong
    if inputs is None or _bytes_in(inputs) < WORTH:
        return _open(source)
    from trainlens.readers._cache import cached

    return cached(source, inputs, lambda: _open(source))


def _open(source: Source) -> Reader:
    module = all_readers()[source.format]

    def plain(path: Path) -> Reader:
        reader: Reader = module.open_source(replace(source, path=path))
        return reader

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


def read(source: Source, name: str, cache: bool = False) -> Run:
    """Read one run from its beginning to its end; `cache` as in `open_source`."""
    chunk = open_source(source, cache).poll(final=True)
    chunk = replace(chunk, notices=tuple(as_shown(source.path, n) for n in chunk.notices))
    place = as_shown(source.path, str(source.path))
    return on_training_axis(Run(name, place, source.format).extend(chunk))
