"""Into a folder of event files: a new event file with the report as text and its sheets as images.

Its name sorts before those of the trainings. TensorBoard reads the files of a folder one after the
other and leaves each for good when a later one is there: behind the file of a training that still
goes on, this one would end what TensorBoard shows of it.
"""

from __future__ import annotations

import os
from pathlib import Path

from trainlens.attach import _events
from trainlens.attach.parcel import PICTURES, TAG, Parcel
from trainlens.attach.putting import put_file
from trainlens.readers._tfevents.files import REPORT
from trainlens.readers.base import Source

FORMAT = "tensorboard"
EXTRA, PACKAGES = "", ()


def put(parcel: Parcel, source: Source) -> str:
    """Write the event file.

    Returns
    -------
    str
        The file, and what is in it.

    Raises
    ------
    OutputError
    """
    path = _folder(source) / _name(parcel.now)
    values = [_events.text(TAG, parcel.text)]
    values += [_events.image(_tag(i), p.read_bytes()) for i, p in enumerate(parcel.sheets)]
    put_file(path, _events.file(values, parcel.step, parcel.now))
    return f"{path} (text {TAG}" + (f", images {PICTURES})" if parcel.sheets else ")")


def _tag(number: int) -> str:
    return f"{PICTURES}/{number}" if number else PICTURES


def _folder(source: Source) -> Path:
    # A run whose splits have folders of their own has none in the folder above them.
    parts = [part for part in source.parts if part.format == FORMAT] or [source]
    path = parts[0].path
    return path if path.is_dir() else path.parent


def _name(now: float) -> str:
    return f"{REPORT}{int(now * 1e3)}.{os.getpid()}"
