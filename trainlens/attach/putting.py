"""Files that appear in the place of a run whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trainlens import atomic
from trainlens.errors import OutputError
from trainlens.readers import REPORT

_REMEDY = "free space there, or leave out --attach"


def put_file(path: Path, data: bytes) -> None:
    """Write one new file into a folder that exists.

    Raises
    ------
    OutputError
        It cannot be written; nothing of it is there then.
    """
    try:
        atomic.write(path, data)
    except OutputError as error:
        raise OutputError(path, error.problem, _REMEDY) from error


def put_files(files: Sequence[Path], target: Path) -> None:
    """Copy files into a folder that is made where it is missing.

    All of them are written under other names first: they get their own only when every one of
    them is there. What else is in the folder stays as it is.

    Parameters
    ----------
    files : sequence of Path
    target : Path

    Raises
    ------
    OutputError
        They cannot be written; the folder is as it was.
    """
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        _put(files, target)
    except OSError as error:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        reason = error.strerror or str(error)
        raise OutputError(target, f"cannot be written: {reason}", _REMEDY) from error


def _put(files: Sequence[Path], target: Path) -> None:
    # In the same folder, so that giving a file its own name copies nothing.
    stage = Path(tempfile.mkdtemp(prefix=".trainlens-", dir=target))
    try:
        for file in files:
            shutil.copyfile(file, stage / file.name)
        for file in files:
            os.replace(stage / file.name, target / file.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def folder_in(folder: Path) -> Path:
    """The folder of the report within that of a run."""
    return folder / REPORT
