r"""MLflow: runs of the file store (``mlruns/``) and of the SQLite store (``mlflow.db``).

A run of the file store is a folder with a ``meta.yaml`` that names it, and files in ``metrics/``,
``params/`` and ``tags/``. A database holds any number of runs; it is read without locks and, where
its writer has left something beside it (a write-ahead log, a journal), from a private copy.

Parameters become the configuration; what MLflow itself knows of a run (name, status, note, parent,
commit, tags of the user) stands beneath ``mlflow`` in it. Metrics named ``system/...`` are
readings of the machine. Runs that were deleted in MLflow but are still there are read, with a
notice.

Recognition
-----------
A folder with a ``meta.yaml`` that names a run, or with ``metrics``, ``params`` and ``tags``; a file
of SQLite whose tables are those of a store.

Damage
------
A line of a metric that is not whole gives no value; a broken one is named. Without ``meta.yaml``,
name and status are unknown, the points are read. Damaged pages of a database are stepped over:
what other pages hold is kept.

Limits
------
Only stores on disk: the file store and SQLite, no server and no other database. Metrics that were
logged without a step have step 0 at every point, as MLflow writes it: their order then counts as
step, with a notice. Artifacts do not belong to a run; logs among them are runs of their own.

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> files = {
...     "meta.yaml": "run_id: 8f3a\nrun_name: baseline\nstatus: 3\nlifecycle_stage: active\n",
...     "metrics/loss": "1600000010000 2.3 10\n1600000020000 2.1 20\n16000000300",
...     "params/lr": "0.0001",
...     "tags/mlflow.user": "me",
... }
>>> for name, text in files.items():
...     path = Path("mlruns/0/8f3a", name)
...     path.parent.mkdir(parents=True, exist_ok=True)
...     _ = path.write_text(text)
>>> run = trainlens.load_one("mlruns")
>>> print(run.frame()[["metric", "split", "step", "wall_time", "value"]].to_string(index=False))
metric split  step    wall_time  value
  loss train    10 1600000010.0    2.3
  loss train    20 1600000020.0    2.1
>>> run.config["lr"], run.config["mlflow"]["name"]
(0.0001, 'baseline')
>>> print(*run.notices)
metrics/loss, bytes 42-53: the last line has no end; it was left out
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from trainlens.readers.base import Look, Reader, Source, head

FORMAT = "mlflow"
FOLDERS = True

_META = "meta.yaml"
_PARTS = ("metrics", "params", "tags")
_OWN = (_META, *_PARTS, "inputs", "outputs")
_MAGIC = b"SQLite format 3\0"
_BESIDE = ("", "-wal", "-shm", "-journal")
_TAG = 1024


def sniff(path: Path | Look) -> float:
    """Confidence that a folder is a run, or a file a database of runs; by content."""
    look = Look.at(path)
    if look.is_dir:
        if _META not in look.entries and not look.entries.keys() >= set(_PARTS):
            return 0.0
        from trainlens.readers._mlflow.file_store import run_confidence

        return run_confidence(look.path)
    if not look.is_file or not look.head.startswith(_MAGIC):
        return 0.0
    from trainlens.readers._mlflow.database import database_confidence

    return database_confidence(look.path)


def find(path: Path) -> list[Source]:
    """The run of a folder, or those of a database, the oldest first."""
    if path.is_dir():
        return [Source(FORMAT, path, name=_name(path))]
    from trainlens.readers._mlflow.database import runs_of

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
        from trainlens.readers._mlflow.file_store import FileRun

        return FileRun(source.path)
    from trainlens.readers._mlflow.database import DatabaseRun

    return DatabaseRun(source.path, source.key)


def _name(folder: Path) -> str:
    """Name that the user gave the run, else its identifier."""
    from trainlens.readers._mlflow.about import run_name
    from trainlens.readers._yaml import read_yaml

    info, _ = read_yaml(folder / _META)
    with suppress(OSError):  # a run without a name
        tag = head(folder / "tags" / "mlflow.runName", _TAG).decode("utf-8", "replace")
        return run_name({"mlflow.runName": tag}, info).strip() or folder.name
    return run_name({}, info).strip() or folder.name
