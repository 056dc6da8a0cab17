"""Beside the log: a folder ``trainlens-report`` in that of the run, or next to its file.

Runs that share a folder (several logs in it, the runs of one store) each get one of their own
within it. The search for runs passes these folders over.
"""

from __future__ import annotations

import re
from pathlib import Path

from trainlens.attach.parcel import Parcel
from trainlens.attach.putting import folder_in, put_files
from trainlens.readers.base import Source

FORMAT = ""
EXTRA, PACKAGES = "", ()

_AIM = "aim"
_ODD = re.compile(r"[^\w.-]+")


def put(parcel: Parcel, source: Source) -> str:
    """Write the files of a report beside the log; those of an earlier one are replaced.

    Returns
    -------
    str
        The folder.

    Raises
    ------
    OutputError
    """
    target = place(source)
    put_files(parcel.files, target)
    return str(target)


def place(source: Source) -> Path:
    """The folder for the report of a run.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Path
    """
    path, key = source.path, _ODD.sub("_", source.key)
    if source.format == _AIM:
        # The repository is a store with an order of its own; beside it is beside the log.
        return folder_in(path.parent) / key
    if path.is_dir():
        return folder_in(path)
    return folder_in(path.parent) / (f"{path.name}-{key}" if key else path.name)
