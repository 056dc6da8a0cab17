"""The calls that do a whole job: `diagnose`, `diagnose_all`, `report` and `watch`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from trainlens.monitor.model import Update
    from trainlens.rules import Diagnosis
    from trainlens.run import Run
    from trainlens.work import Judging

    Config = str | os.PathLike[str] | Mapping[str, Any] | None

FORMATS = ("html", "md")


class How(TypedDict, total=False):
    """How runs are judged: what `diagnose`, `diagnose_all` and `report` take by name.

    Parameters
    ----------
    profile : str, optional
        ``default`` (scale-free) or ``seed`` (fixed, unit-dependent thresholds).
    select, ignore : iterable of str
        Rule names: only these, all but these.
    settings : mapping of rule name to {setting: value}, optional
        Thresholds in place of the defaults.
    config : path-like or mapping, optional
        A ``trainlens.toml``, or what could stand in it: roles of metrics, severities, what to
        suppress. The parameters above count more.
    plugins : bool
        Whether the rules of other packages are asked as well.
    """

    profile: str | None
    select: Iterable[str]
    ignore: Iterable[str]
    settings: Mapping[str, Mapping[str, Any]] | None
    config: Config
    plugins: bool


def diagnose(run: Run, **how: Unpack[How]) -> Diagnosis:
    """Judge a run by every rule and say what to do about what is wrong.

    Parameters
    ----------
    run : Run
    **how
        `profile`, `select`, `ignore`, `settings`, `config`, `plugins`: see `How`.

    Returns
    -------
    Diagnosis

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.

    Warns
    -----
    UserWarning
        What of `config` is not in force, and packages whose rules are left out.
    """
    return _judging(**how)(run)


def diagnose_all(runs: Iterable[Run], **how: Unpack[How]) -> list[Diagnosis]:
    """Judge several runs, each with what the others tell about it.

    Where the same fault begins at the same step in several runs, its causes say so and name them;
    runs that hold the very same values have a notice of the kind ``identical``.

    Parameters
    ----------
    runs : iterable of Run
    **how
        As in `diagnose`.

    Returns
    -------
    list of Diagnosis, in the order of the runs

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.
    """
    from trainlens.across import compared

    judge = _judging(**how)
    return compared(judge(run) for run in runs)


def _judging(
    profile: str | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    config: Config = None,
    plugins: bool = True,
) -> Judging:
    import warnings
    from datetime import date

    from trainlens.asked import Given, ask
    from trainlens.settings import load

    given = Given(profile, tuple(select), tuple(ignore), settings or {}, plugins=plugins)
    asked = ask(given, load(config), date.today())
    for notice in asked.notices:
        warnings.warn(str(notice), stacklevel=3)
    return asked.judge


def report(
    runs: Sequence[Run],
    out: str | os.PathLike[str],
    *,
    formats: Iterable[str] = ("html",),
    plots: bool = True,
    title: str = "",
    command: str = "",
    baseline: str = "",
    group_by: str = "",
    clock: Callable[[], float] = time.time,
    **how: Unpack[How],
) -> list[Path]:
    """Write the report of some runs into a folder.

    Parameters
    ----------
    runs : sequence of Run
        What `load` returned; its notices are shown.
    out : path-like
        Folder, made where it is missing.
    formats : iterable of {"html", "md"}
        Pages to write beside ``report.json``.
    plots : bool
        Whether PNG diagnostics are drawn.
    title, command : str
        Shown on the page.
    baseline : str
        Name of the run that the others are compared with, or of the side where `group_by` makes
        sides; empty for no comparison, or for the first side.
    group_by : str
        A setting, ``name`` or ``name:REGEX``, as of ``trainlens compare``: runs with the same
        value are one side, and sides are compared instead of runs.
    clock : callable
        Gives the Unix time that the report carries.
    **how
        As in `diagnose`.

    Returns
    -------
    list of Path
        The files written, the page first.

    Raises
    ------
    OutputError
        The folder cannot be written.
    UsageError
        There is no run or side of the name of the baseline, or no other one.
    """
    from trainlens.jobs import compared_as
    from trainlens.render.folder import write_report
    from trainlens.sides import by_name

    judge = _judging(**how)
    diagnoses = [judge(run) for run in runs]
    return write_report(
        diagnoses,
        Path(out),
        notices=getattr(runs, "notices", ()),
        formats=tuple(formats),
        plots=plots,
        title=title,
        command=command,
        comparison=compared_as(by_name(baseline, group_by), [d.run for d in diagnoses]),
        now=clock(),
    )


def watch(
    *paths: str | os.PathLike[str],
    interval: float = 30.0,
    sleep: Callable[[float], object] = time.sleep,
    **how: Unpack[How],
) -> Iterator[Update]:
    """Watch runs that are being written.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders, glob patterns or URLs; they need not exist yet.
    interval : float
        Seconds from one round to the next.
    sleep : callable
        Called with the seconds to wait.
    **how
        As in `diagnose`.

    Yields
    ------
    Update
        How every run stands, and what happened to findings since the last round; without end.
        Nothing is kept on disk: a new watch tells everything once more.

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.

    Examples
    --------
    >>> for update in trainlens.watch("logs/", interval=10):  # doctest: +SKIP
    ...     for change in update.changes:
    ...         print(change.run, change.kind, change.finding.message)
    """
    return _rounds([os.fspath(path) for path in paths], _judging(**how), interval, sleep)


def _rounds(
    paths: Sequence[str], judge: Judging, interval: float, sleep: Callable[[float], object]
) -> Iterator[Update]:
    from trainlens.monitor.loop import Monitor

    monitor = Monitor(paths, judge)
    try:
        while True:
            begun = time.monotonic()
            yield monitor.round()
            sleep(max(0.0, begun + interval - time.monotonic()))
    finally:
        monitor.close()
