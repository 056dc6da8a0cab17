"""Figures as bytes and as files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens import atomic
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as a file in memory, the same bytes for the same figure.

    Parameters
    ----------
    figure : Figure
    kind : {"png", "svg"}

    Raises
    ------
    UsageError
        Another format.
    """
    from matplotlib import rc_context

    if kind not in FORMATS:
        raise UsageError(f"unknown picture format {kind!r}; there are: {', '.join(FORMATS)}")
    buffer = io.BytesIO()
    # Neither the date nor random identifiers: equal input gives equal bytes.
    if kind == "png":
        # Light compression takes a fraction of the default's time for a few more bytes.
        quick = {"compress_level": 3}
        figure.savefig(buffer, format=kind, metadata={"Software": None}, pil_kwargs=quick)
    else:
        with rc_context({"svg.hashsalt": "trainlens", "svg.fonttype": "none"}):
            figure.savefig(buffer, format=kind, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure in the format that the name ends with; the file appears whole or not at all.

    Raises
    ------
    UsageError
        The name ends neither with ``.png`` nor with ``.svg``.
    OutputError
        The file cannot be written.
    """
    target = Path(path)
    return atomic.write(target, figure_bytes(figure, target.suffix.removeprefix(".").lower()))
