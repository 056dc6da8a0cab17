"""AIM repositories: finished, live, killed and not yet indexed runs, without touching a byte.

A repository is the folder ``.aim``. Each run has two RocksDB stores in it, one for what it says
about itself and one for its points; ``meta/index`` is only a cache of the former and is used
only where a run's own store is broken.
"""

from __future__ import annotations

import os
from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "aim"
FOLDERS = True

_AREAS = ("meta", "seqs")


def sniff(path: Path | Look) -> float:
    """1 for the folder of a repository (``.aim``, or one that holds its chunks), else 0."""
    look = Look.at(path)
    if not look.is_dir:
        return 0.0
    areas = (look.path / area / "chunks" for area in _AREAS if area in look.entries)
    if any(chunks.is_dir() for chunks in areas):
        return 1.0
    return 0.9 if look.name == ".aim" else 0.0


def files(source: Source) -> list[Path]:
    """The folder of the repository: all of it belongs to its runs."""
    return [source.path]


def find(path: Path) -> list[Source]:
    """The runs of a repository, the oldest first."""
    from trainlens.readers._aim.meta import run_properties

    hashes: set[str] = set()
    for area in _AREAS:
        try:
            with os.scandir(path / area / "chunks") as entries:
                hashes.update(e.name for e in entries if e.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            continue
    known = run_properties(path)
    return [
        Source(FORMAT, path, key=run, name=str(known.get(run, {}).get("name") or run[:8]))
        for run in sorted(hashes, key=lambda h: (known.get(h, {}).get("created", 0.0), h))
    ]


def inputs(source: Source) -> Inputs:
    """The two stores of the run, and what the repository says about it."""
    stores = [source.path / area / "chunks" / source.key for area in _AREAS]
    stores += [source.path / "meta" / "index", source.path]
    found = [path for store in stores for path in (store, *_within(store))]
    return Inputs(tuple(found))


def _within(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_file())
    except OSError:
        return []


def open_source(source: Source) -> Reader:
    """A reader of one run.

    Raises
    ------
    MissingExtra
        ``aimrocks`` is not installed.
    """
    from trainlens.readers._aim.reader import AimReader
    from trainlens.readers._aim.store import rocks

    rocks()
    return AimReader(source.path, source.key)
