"""CatBoost: a training folder (``catboost_info``), or its ``catboost_training.json`` alone.

Each value is taken from the JSON log, or from the tables beside it (``learn_error.tsv``,
``test_error.tsv``) where the JSON log lacks it: torn, damaged or absent. The event files in
``learn`` and ``test`` hold the same values once more and belong to the run.

The set ``learn`` is the split ``train``. The first evaluation set is the split ``val``, though
CatBoost calls it ``test``: it decides on the best iteration and on early stopping. Further
evaluation sets keep their names.
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
