"""MLflow: runs of the file store (``mlruns/``) and of the SQLite store (``mlflow.db``).

A run of the file store is a folder with a ``meta.yaml`` that names it, and files in ``metrics/``,
``params/`` and ``tags/``. A database holds any number of runs; it is read without locks and, where
its writer has left something beside it (a write-ahead log, a journal), from a private copy.

Parameters become the configuration; what MLflow itself knows of a run (name, status, note, parent,
commit, tags of the user) stands beneath ``mlflow`` in it. Metrics named ``system/...`` are
readings of the machine. Runs that were deleted in MLflow but are still there are read, with a
notice.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from trainlens.readers._mlflow.about import run_name
from trainlens.readers._mlflow.database import DatabaseRun, database_confidence, runs_of
from trainlens.readers._mlflow.file_store import META, PARTS, FileRun, run_confidence
from trainlens.readers._mlflow.snapshot import MAGIC
from trainlens.readers._yaml import read_yaml
from trainlens.readers.base import Look, Reader, Source, head

FORMAT = "mlflow"
FOLDERS = True

_OWN = (META, "metrics", "params", "tags", "inputs", "outputs")
_BESIDE = ("", "-wal", "-shm", "-journal")
_TAG = 1024


def sniff(path: Path | Look) -> float:
    """Confidence that a folder is a run, or a file a database of runs; by content."""
    look = Look.at(path)
    if look.is_dir:
        may_be = META in look.entries or look.entries.keys() >= set(PARTS)
        return run_confidence(look.path) if may_be else 0.0
    may_be = look.is_file and look.head.startswith(MAGIC)
    return database_confidence(look.path) if may_be else 0.0


def find(path: Path) -> list[Source]:
    """The run of a folder, or those of a database, the oldest first."""
    if path.is_dir():
        return [Source(FORMAT, path, name=_name(path))]
    runs = runs_of(path)
    return [Source(FORMAT, path, key=run, name=name) for run, name in runs] or [
        Source(FORMAT, path)
    ]


def files(source: Source) -> list[Path]:
    """What belongs to a run; its artifacts do not: they may hold other logs."""
    if source.path.is_dir():
        return [source.path / name for name in _OWN if (source.path / name).exists()]
    beside = (source.path.with_name(source.path.name + ending) for ending in _BESIDE)
    return [path for path in beside if path.exists()]


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    if source.path.is_dir():
        return FileRun(source.path)
    return DatabaseRun(source.path, source.key)


def _name(folder: Path) -> str:
    """Name that the user gave the run, else its identifier."""
    info, _ = read_yaml(folder / META)
    with suppress(OSError):  # a run without a name
        tag = head(folder / "tags" / "mlflow.runName", _TAG).decode("utf-8", "replace")
        return run_name({"mlflow.runName": tag}, info).strip() or folder.name
    return run_name({}, info).strip() or folder.name
