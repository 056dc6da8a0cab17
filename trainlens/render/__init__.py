"""Renderers: a report or a diagnosis as HTML, Markdown, text or JSON, and safe writing of it."""

from __future__ import annotations

import os

from trainlens import atomic


def write_text(path: str | os.PathLike[str], *pieces: str) -> None:
    """Write a page whole or not at all.

    Parameters
    ----------
    path : path-like
    *pieces : str
        Written one behind the other as UTF-8; what UTF-8 cannot hold (lone surrogates) is
        written as ``?``.

    Raises
    ------
    OutputError
        The folder is missing, read-only or full.
    """
    atomic.write(path, "".join(pieces).encode("utf-8", "replace"))
