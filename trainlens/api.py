"""The two calls that do a whole job: `diagnose` and `report`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlens.work import Judging

if TYPE_CHECKING:
    import os

    from trainlens.rules import Diagnosis
    from trainlens.run import Run

FORMATS = ("html", "md")


def diagnose(
    run: Run,
    *,
    profile: str = "default",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Diagnosis:
    """Judge a run by every rule and say what to do about what is wrong.

    Parameters
    ----------
    run : Run
    profile : str
        ``default`` (scale-free) or ``seed`` (fixed, unit-dependent thresholds).
    select, ignore : iterable of str
        Rule names: only these, all but these.
    settings : mapping of rule name to {setting: value}, optional
        Thresholds in place of the defaults.

    Returns
    -------
    Diagnosis

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.
    """
    return Judging(profile, tuple(select), tuple(ignore), settings or {})(run)


def report(
    runs: Sequence[Run],
    out: str | os.PathLike[str],
    *,
    profile: str = "default",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    formats: Iterable[str] = ("html",),
    plots: bool = True,
    title: str = "",
    command: str = "",
    clock: Callable[[], float] = time.time,
) -> list[Path]:
    """Write the report of some runs into a folder.

    Parameters
    ----------
    runs : sequence of Run
        What `load` returned; its notices are shown.
    out : path-like
        Folder, made where it is missing.
    profile, select, ignore, settings
        As in `diagnose`.
    formats : iterable of {"html", "md"}
        Pages to write beside ``report.json``.
    plots : bool
        Whether PNG diagnostics are drawn.
    title, command : str
        Shown on the page.
    clock : callable
        Gives the Unix time that the report carries.

    Returns
    -------
    list of Path
        The files written, the page first.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    from trainlens.render.folder import write_report

    diagnoses = [
        diagnose(r, profile=profile, select=select, ignore=ignore, settings=settings) for r in runs
    ]
    return write_report(
        diagnoses,
        Path(out),
        notices=getattr(runs, "notices", ()),
        formats=tuple(formats),
        plots=plots,
        title=title,
        command=command,
        now=clock(),
    )
