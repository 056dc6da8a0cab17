"""Renderers: a report or a diagnosis as HTML, Markdown, text or JSON, and safe writing of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trainlens.errors import OutputError


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole or not at all.

    The text goes to a temporary file in the same folder, which then takes the name: a reader
    never sees half of it, and a full disk leaves what was there before.

    Parameters
    ----------
    path : path-like
    text : str
        Written as UTF-8; what UTF-8 cannot hold (lone surrogates) is written as ``?``.

    Raises
    ------
    OutputError
        The folder is missing, read-only or full.
    """
    target = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".trainlens-", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        reason = error.strerror or str(error)
        raise OutputError(
            target, f"cannot be written: {reason}", "free space there or choose another with -o"
        ) from error


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
