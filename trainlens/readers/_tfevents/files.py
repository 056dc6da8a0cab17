"""Which files are event files: by their names, and by their first bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trainlens.readers._tfevents.damage import header_length
from trainlens.readers._tfevents.follow import LFS_POINTER
from trainlens.readers._wrapping import first_bytes
from trainlens.readers.base import Look

MARK = "tfevents"
REPORT = f"events.out.{MARK}.0000000000.trainlens."
"""How the names of files begin that hold a report of the run, see `trainlens.attach`."""

_NAME = re.compile(r"(^|\.)tfevents($|\.)")
_TIMESTAMP = re.compile(r"tfevents\.(\d{1,18})(?:\D|$)")


def event_files(folder: Path) -> list[Path]:
    """Files of a folder that are named like event files, in the order they were begun.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        By the time in the name, then by name.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        found = [Path(e.path) for e in entries if MARK in e.name and e.is_file()]
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[int, str]:
    match = _TIMESTAMP.search(path.name)
    return int(match[1]) if match else 0, path.name


def confidence(look: Look) -> float:
    """Confidence that a file is an event file; see `trainlens.readers.tensorboard.sniff`."""
    if MARK not in look.name:
        return 0.0
    named = 0.6 if _NAME.search(look.name) else 0.0
    try:
        if not look.is_file:
            return 0.0 if look.mode else named  # a link to nothing is only named like one
        with first_bytes(look) as shown:
            start = shown.begin(512)
    except OSError:
        return named
    if header_length(start, 0) is not None:
        return 1.0
    return 0.0 if _is_text(start) and not start.startswith(LFS_POINTER) else named


def _is_text(start: bytes) -> bool:
    """Whether bytes are plain text: an export that kept the name of the event file."""
    return len(start) > 0 and min(start) >= 9 and start.isascii()
