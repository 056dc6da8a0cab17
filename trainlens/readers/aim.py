"""AIM repositories: finished, live, killed and not yet indexed runs, without touching a byte.

A repository is the folder ``.aim``. Each run has two RocksDB stores in it, one for what it says
about itself and one for its points; ``meta/index`` is only a cache of the former and is used
only where a run's own store is broken.

Each sequence of numbers is a series: its name, its context as split (``subset``), and for every
point value, step, epoch and time. Parameters become the configuration; name, experiment, tags,
beginning and end stand beneath ``aim`` in it.

Recognition
-----------
A folder with ``meta/chunks`` or ``seqs/chunks``; by its name alone (``.aim``) with less confidence.

Dialects
--------
Both layouts of AIM 3: points by the hash of their step (since 3.11), and by the step itself.

Damage
------
RocksDB opens a private copy: links to its tables, copies of the small rest. A store that it
refuses is repaired there; a damaged write-ahead log is written anew from its whole records, and
what is lost is counted. A run that cannot be read is named; the other runs of the repository are
whole. A run whose process was killed is told as unfinished.

Limits
------
Needs the extra ``aim`` (``pip install 'trainlens[aim]'``), which there is not for Windows. Images,
audio, distributions, figures and texts are passed over, with a notice. A repository of a remote
server is read where its folder lies.

Examples
--------
>>> import trainlens
>>> runs = sorted(trainlens.load("sample_runs/handpose_aim"), key=lambda run: run.name)
>>> [(run.name, run.points, run.config["hparams"]["optimizer"]["lr"]) for run in runs]
[('fixed-dropout', 2440, 0.001), ('progressive-dropout', 2440, 0.001)]
>>> print(runs[1].frame()[["metric", "split", "step", "value"]].head(2).to_string(index=False))
      metric split  step  value
dropout_rate train   100    0.0
dropout_rate train   200    0.0
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
