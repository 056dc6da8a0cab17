"""Which states belong to the run of a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trainlens.readers._trainer_state.state import checkpoint_number

NAME = "trainer_state.json"

_CHECKPOINT = re.compile(
    r"(?:tmp-)?(?:(?:last|best|latest|final)[-_])?checkpoint(?:[-_](?:\d+|last|best|latest|final))?"
)

Signature = tuple[int, int, int]


def state_files(path: Path) -> list[Path]:
    """The states of a run: of its folder itself, of its checkpoints, those of high steps first.

    Parameters
    ----------
    path : Path
        An output folder, or one state, which then stands alone.

    Returns
    -------
    list of Path
        Empty where nothing is there (any more).
    """
    if not path.is_dir():
        return [path] if path.exists() else []
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if _CHECKPOINT.fullmatch(e.name)]
    except OSError:
        return []
    places = [path / NAME, *(path / name / NAME for name in sorted(names))]
    found = [place for place in places if place.is_file()]
    # Stable: the folder's own state before the ones of checkpoints without a number.
    return sorted(found, key=lambda p: -_order(p, path))


def _order(state: Path, top: Path) -> float:
    number = None if state.parent == top else checkpoint_number(state)
    return float("inf") if number is None else number


def signature(path: Path) -> Signature | None:
    """What changes when a file is written anew; None for a file that is gone."""
    try:
        entry = os.stat(path)
    except OSError:
        return None
    return entry.st_ino, entry.st_size, entry.st_mtime_ns
