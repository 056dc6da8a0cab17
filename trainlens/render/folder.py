"""A report as a folder: the page, its Markdown twin, the JSON, and the PNGs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import trainlens
from trainlens.engine import Helper
from trainlens.errors import OutputError
from trainlens.render import write_text
from trainlens.rules import Diagnosis
from trainlens.run import Notice

PAGES = {"html": "index.html", "md": "report.md"}
"""Formats of the page and the file each is written to."""


def write_report(
    diagnoses: Sequence[Diagnosis],
    folder: Path,
    *,
    notices: Sequence[Notice] = (),
    formats: Sequence[str] = ("html",),
    plots: bool = True,
    title: str = "",
    command: str = "",
    now: float,
    helper: Helper | None = None,
) -> list[Path]:
    """Write every part of a report.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    folder : Path
        Made where it is missing.
    notices : sequence of Notice
        About files that became no run.
    formats : sequence of str
        Keys of `PAGES`.
    plots : bool
        Whether PNGs are drawn.
    title, command : str
    now : float
        Unix time that the report carries.
    helper : Helper, optional
        Draws half of the PNGs.

    Returns
    -------
    list of Path
        Pages first, then the JSON, then the PNGs.

    Raises
    ------
    OutputError
        The folder cannot be made or written.
    """
    from trainlens.plots import draw_report, pictures

    _make(folder)
    wanted = pictures(diagnoses) if plots else []
    theirs = (len(wanted) + 1) // 2 if helper else 0
    if helper and theirs:
        helper.start(draw_report, wanted[:theirs], folder)
    written = _write_pages(
        diagnoses, folder, notices, formats, title=title, command=command, now=now
    )
    draw_report(wanted[theirs:], folder)
    if helper:
        helper.finish()
    return written + [folder / picture.name for picture in wanted]


def _write_pages(
    diagnoses: Sequence[Diagnosis],
    folder: Path,
    notices: Sequence[Notice],
    formats: Sequence[str],
    *,
    title: str,
    command: str,
    now: float,
) -> list[Path]:
    from trainlens.render import json
    from trainlens.reporting import build

    built = build(
        diagnoses,
        title=title,
        command=command,
        notices=notices,
        now=now,
        version=trainlens.__version__,
    )
    written = [folder / PAGES[name] for name in formats]
    for name, path in zip(formats, written, strict=True):
        write_text(path, _page(name, built))
    written.append(folder / "report.json")
    write_text(written[-1], json.dumps(diagnoses, notices) + "\n")
    return written


def _page(name: str, built: object) -> str:
    # Only the page that is asked for is imported.
    if name == "html":
        from trainlens.render.html import page
    else:
        from trainlens.render.markdown import page
    return page(built)  # type: ignore[arg-type]  # `built` is what both of them take


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise OutputError(
            folder, f"cannot be used as output folder: {error.strerror}", "choose another with -o"
        ) from error
