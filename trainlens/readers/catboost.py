"""CatBoost: a training folder (``catboost_info``), or its ``catboost_training.json`` alone.

Each value is taken from the JSON log, or from the tables beside it (``learn_error.tsv``,
``test_error.tsv``) where the JSON log lacks it: torn, damaged or absent. The event files in
``learn`` and ``test`` hold the same values once more and belong to the run.

The set ``learn`` is the split ``train``. The first evaluation set is the split ``val``, though
CatBoost calls it ``test``: it decides on the best iteration and on early stopping. Further
evaluation sets keep their names.

Recognition
-----------
A ``catboost_training.json`` by its ``meta``, or tables by their heading; of a folder the surest.

Damage
------
Each entry of the JSON log is found by itself, so a torn document loses what is torn, and the
tables fill in what they have. Brackets that are missing at the end are told as unfinished.

Limits
------
The step is the iteration, counted from 0. There are no times but those that CatBoost itself
estimates (``passed_time``, ``remaining_time``, in seconds).

Examples
--------
>>> import trainlens
>>> from pathlib import Path
>>> text = '''{"meta": {"name": "experiment", "iteration_count": 100, "launch_mode": "Train",
... "learn_metrics": [{"name": "Logloss", "best_value": "Min"}], "learn_sets": ["learn"],
... "test_metrics": [{"name": "Logloss", "best_value": "Min"}], "test_sets": ["test"]},
... "iterations": [
... {"iteration": 0, "learn": [0.65], "test": [0.66]},
... {"iteration": 1, "learn": [0.61], "test": [0.63]},
... {"iteration": 2, "learn": [0.'''
>>> Path("catboost_info").mkdir()
>>> _ = Path("catboost_info/catboost_training.json").write_text(text)
>>> run = trainlens.load_one("catboost_info")
>>> print(run.frame()[["metric", "split", "step", "value"]].to_string(index=False))
 metric split  step  value
Logloss train     0   0.65
Logloss train     1   0.61
Logloss   val     0   0.66
Logloss   val     1   0.63
>>> [notice.message for notice in run.notices]
['an unfinished entry']
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

FORMAT = "catboost"
FOLDERS = True

_DOCUMENT = "catboost_training.json"
_SURE = 0.98


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 1] that a folder is, or a file belongs to, a CatBoost training."""
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look)
    known = (n for n in (_DOCUMENT, "learn_error.tsv", "test_error.tsv") if n in look.entries)
    return max((_confidence(Look(look.path / name)) for name in known), default=0.0)


def _confidence(look: Look) -> float:
    if not look.is_file:
        return 0.0
    if look.name.endswith("_error.tsv"):
        from trainlens.readers._catboost.table import HEADER

        return _SURE if HEADER.match(look.begin(256)) else 0.0
    # The quick look spares the search in the many other files.
    if b'"meta"' not in look.head:
        return 0.0
    from trainlens.readers._catboost.document import looks_like

    return _SURE if looks_like(look.head) else 0.0


def files(source: Source) -> list[Path]:
    """The logs of a run, its event files and CatBoost's own folder for temporary files."""
    if not source.path.is_dir():
        return [source.path]
    events = (
        p for name in ("learn", "test*") for p in source.path.glob(f"{name}/events.out.tfev*")
    )
    from trainlens.readers._catboost.files import logs

    return [p for p in logs(source.path) if p.is_file()] + sorted(events) + _temporary(source.path)


def _temporary(folder: Path) -> list[Path]:
    return [folder / "tmp"] if (folder / "tmp").is_dir() else []


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a lone file."""
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """The logs of the run, which grow together."""
    from trainlens.readers._catboost.files import logs

    return Inputs(tuple(logs(source.path) if source.path.is_dir() else [source.path]))


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._catboost.reader import CatBoostRun

    return CatBoostRun(source.path)
