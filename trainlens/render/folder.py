"""A report as a folder: the page, its Markdown twin, the JSON, and the PNGs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trainlens
from trainlens.engine import Engine, Helper
from trainlens.errors import OutputError
from trainlens.render import write_text
from trainlens.reporting.digest import Digest
from trainlens.rules import Diagnosis
from trainlens.run import Notice

if TYPE_CHECKING:
    from trainlens.comparison.model import Comparison
    from trainlens.plots import Picture
    from trainlens.reporting import Report
    from trainlens.reporting.selection import Choice

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
    comparison: Comparison | None = None,
    now: float,
    helper: Helper | None = None,
    told: Callable[[Report], object] | None = None,
) -> list[Path]:
    """Write every part of a report of runs whose points are at hand.

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
    comparison : Comparison, optional
        Of these runs: becomes a section, ``comparison.json`` and PNGs.
    now : float
        Unix time that the report carries.
    helper : Helper, optional
        Draws half of the PNGs.
    told : callable, optional
        Given what the report says.

    Returns
    -------
    list of Path
        Pages first, then the JSON, then the PNGs.

    Raises
    ------
    OutputError
        The folder cannot be made or written.
    """
    from trainlens.plots import comparison_pictures, draw_report, pictures

    make_folder(folder)
    wanted = pictures(diagnoses) if plots else []
    if plots and comparison is not None:
        wanted += comparison_pictures(comparison)
    theirs = (len(wanted) + 1) // 2 if helper else 0
    if helper and theirs:
        helper.start(draw_report, wanted[:theirs], folder)
    written = write_pages(
        diagnoses,
        folder,
        notices=notices,
        formats=formats,
        title=title,
        command=command,
        comparison=comparison,
        now=now,
        pictures=[picture.name for picture in wanted],
        told=told,
    )
    draw_report(wanted[theirs:], folder)
    if helper:
        helper.finish()
    return written + [folder / picture.name for picture in wanted]


def write_pages(
    runs: Sequence[Diagnosis] | Sequence[Digest],
    folder: Path,
    *,
    notices: Sequence[Notice] = (),
    formats: Sequence[str] = ("html",),
    title: str = "",
    command: str = "",
    pages: Mapping[str, str] | None = None,
    choice: Choice | None = None,
    comparison: Comparison | None = None,
    now: float,
    pictures: Sequence[str] = (),
    told: Callable[[Report], object] | None = None,
) -> list[Path]:
    """Write the pages and the JSON of a report into a folder that exists.

    Parameters are those of `write_report` and of `trainlens.reporting.build`; `pictures` are the
    names of the PNGs that are drawn beside them.
    """
    from trainlens.render import json

    written = [folder / PAGES[name] for name in formats]
    built = _build(
        runs,
        title=title,
        command=command,
        notices=notices,
        pages=pages,
        choice=choice,
        comparison=comparison,
        now=now,
    )
    for name, path in zip(formats, written, strict=True):
        write_text(path, _page(name, built, pictures))
    if told is not None:
        told(built)
    written.append(folder / "report.json")
    more = {} if comparison is None else {"comparison": _brief(comparison)}
    write_text(written[-1], *json.pieces(built.judged, lambda: notices, **more), "\n")
    return written + ([write_comparison(comparison, folder)] if comparison is not None else [])


def _brief(comparison: Comparison) -> dict[str, Any]:
    from trainlens.render.comparison import json

    return json.brief(comparison)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write the comparison of the runs of a report beside its page."""
    from trainlens.render.comparison import json

    path = folder / json.FILE
    write_text(path, json.dumps(comparison), "\n")
    return path


def write_page(name: str, path: Path, runs: Sequence[Diagnosis], *, now: float) -> None:
    """Write one page of some runs; `name` is a key of `PAGES`."""
    write_text(path, _page(name, _build(runs, now=now)))


def _build(
    runs: Sequence[Diagnosis] | Sequence[Digest], *, title: str = "", command: str = "", **told: Any
) -> Report:
    from trainlens.reporting import build

    return build(runs, title=title, command=command, version=trainlens.__version__, **told)


def overlaid(digests: Sequence[Digest]) -> list[Picture]:
    """Pictures of what several runs share, from the curves that are left of them."""
    from trainlens.plots import overlays
    from trainlens.reporting.curves import sketch

    return overlays([sketch(d.told.name, d.curves) for d in digests])


def draw_pictures(wanted: Sequence[Picture], folder: Path, engine: Engine) -> list[Path]:
    """Draw pictures, one a job."""
    jobs = [([picture], folder) for picture in wanted]
    for _ in engine.run(_draw, jobs):
        pass
    return [folder / picture.name for picture in wanted]


def _draw(job: tuple[list[Picture], Path]) -> None:
    from trainlens.plots import draw_report

    draw_report(*job)


def _page(name: str, built: Report, pictures: Sequence[str] = ()) -> str:
    # Only the page that is asked for is imported.
    if name == "html":
        from trainlens.render.html import page

        return page(built)
    from trainlens.render import markdown

    return markdown.page(built, pictures=pictures)


def make_folder(folder: Path) -> None:
    """Make sure that a folder is there and can be written.

    Raises
    ------
    OutputError
        It is not there and cannot be made, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise OutputError(
            folder, f"cannot be used as output folder: {error.strerror}", "choose another with -o"
        ) from error
