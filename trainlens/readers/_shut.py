"""Folders that the system does not let us look into: nothing in them is missing, only hidden."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from trainlens import words
from trainlens.chunk import Notice
from trainlens.errors import NotFound, SourceError, Unreadable

_REMEDY = "check its permissions, or ask whoever owns it"


def behind(path: str) -> SourceError | None:
    """The error for a path that cannot be seen although it, or a link to it, may be there.

    Parameters
    ----------
    path : str
        A path, or a glob pattern that nothing fits.

    Returns
    -------
    SourceError or None
        None where no folder on the way is shut, and no link leads to nothing.
    """
    place, pattern = Path(os.path.expanduser(path)), False
    if not os.path.lexists(place):
        pattern = glob.has_magic(path)
        while glob.has_magic(str(place)):
            place = place.parent
    try:
        if pattern:
            os.scandir(place).close()
        else:
            os.stat(place)
    except PermissionError as error:
        return Unreadable(_door(place), f"cannot be looked into: {error.strerror}", _REMEDY)
    except FileNotFoundError:
        if os.path.islink(path):
            return NotFound(path, "a link to nothing", "see with ls -l where it leads")
        return None
    except (OSError, ValueError):
        return None
    return None


def within(notices: Sequence[Notice]) -> Unreadable | None:
    """The error for a folder without a run of which something could not be read.

    Parameters
    ----------
    notices : sequence of Notice
        What a search has said of the folder.

    Returns
    -------
    Unreadable or None
        None where all that is in it could be read.
    """
    shut = [n for n in notices if n.kind == "unreadable"]
    if not shut:
        return None
    others = words.plural(len(shut) - 1, "more place")
    more = f" (and {others} in this folder)" if len(shut) > 1 else ""
    return Unreadable(shut[0].where, shut[0].message + more, _REMEDY)


def _door(place: Path) -> Path:
    """The innermost folder on the way of which anything is known: that one lets nobody through."""
    place = Path(os.path.realpath(place)) if os.path.islink(place) else place
    return next((p for p in (place, *place.parents) if _known(p)), place)


def _known(place: Path) -> bool:
    try:
        os.stat(place)
    except OSError:
        return False
    return True
