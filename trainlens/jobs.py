"""The report of the runs in some paths: what is done here, what elsewhere, what is held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from trainlens.across import compared
from trainlens.engine import Engine, helper
from trainlens.errors import UsageError
from trainlens.judged import Judged, pointless
from trainlens.place import LARGE, Place, engine_for
from trainlens.readers import Survey
from trainlens.reporting import MANY, Digest, together
from trainlens.reporting.selection import choose, detailed
from trainlens.run import Key, Notice, Run
from trainlens.words import nearest
from trainlens.work import Extra, Judging, detail, only_compared, shorten

if TYPE_CHECKING:
    from trainlens.attach import Attached, Plan
    from trainlens.comparison.model import Comparison
    from trainlens.reporting import Report

T = TypeVar("T")

_RUNS = "runs"
"""Folder within a report for the pages of single runs."""
_AT_ONCE = 12
"""So many runs, together no larger, are held with all their points while a report is made."""


class Ticking(Protocol):
    """Passes results on, of which there will be so many, and shows how far it is."""

    def __call__(self, results: Iterator[T], total: int) -> Iterator[T]:
        """See above."""
        ...


Afterthoughts = Callable[[Sequence[Judged]], Iterable[Notice]]


def nothing(told: Sequence[Judged]) -> Iterable[Notice]:
    """No afterthoughts."""
    return ()


def silent(results: Iterator[T], total: int) -> Iterator[T]:
    """Passes results on and shows nothing."""
    return results


@dataclass(frozen=True)
class Page:
    """A report that is wanted: the parameters are those of `trainlens.report`.

    Beside them `runs`: how many runs of many get a page of their own at most. `baseline` is the
    name of the run that the others are compared with, empty for no comparison. `attach`: where
    the report of each run is put as well, see `trainlens.attach.WHERE`. `told` is given what
    the report says, for those who do not open it.
    """

    folder: Path
    formats: Sequence[str] = ("html",)
    title: str = ""
    command: str = ""
    plots: bool = True
    runs: int = 50
    baseline: str = ""
    attach: Sequence[str] = ()
    told: Callable[[Report], object] | None = None


def report(
    survey: Survey,
    page: Page,
    judge: Judging,
    *,
    now: float,
    place: Place | None = None,
    ticking: Ticking = silent,
    afterthoughts: Afterthoughts = nothing,
) -> tuple[list[Judged], list[Path]]:
    """Read, judge and report the runs of a survey.

    Parameters
    ----------
    survey : Survey
    page : Page
    judge : Judging
    now : float
        Unix seconds.
    place : Place, optional
    ticking : callable
        Shows progress.
    afterthoughts : callable
        Gives notices that can only be known when all runs are judged.

    Returns
    -------
    judged : list of Judged
    written : list of Path
        The page first.

    Raises
    ------
    OutputError
        The folder cannot be written.
    SourceError, MissingExtra
        Not one run could be read.
    UsageError, MissingExtra
        A report cannot be attached where it is wanted.
    """
    _check(survey, page.baseline)
    planned(survey, page.attach)
    few = len(survey) <= _AT_ONCE and survey.size <= LARGE
    if few and place in (None, Place(), Place(workers=1)):
        return _at_once(survey, page, judge, now, afterthoughts)
    with engine_for(survey, place or Place()) as engine:
        return _one_by_one(survey, page, judge, now, engine, ticking, afterthoughts)


def pictures(survey: Survey, folder: Path, judge: Judging) -> list[Path]:
    """Read and judge the runs of a survey, and draw the pictures of their report alone.

    Raises
    ------
    OutputError
        The folder cannot be written.
    SourceError, MissingExtra
        Not one run could be read.
    """
    from trainlens import plots
    from trainlens.render.folder import make_folder

    make_folder(folder)
    wanted = plots.pictures(compared(list(survey.each(judge))))
    plots.draw_report(wanted, folder)
    return [folder / picture.name for picture in wanted]


def attached(
    survey: Survey, page: Page, judge: Judging, told: Sequence[Judged], *, now: float
) -> Iterator[Attached]:
    """Put the report of each run where it lives, when that of all is written.

    Parameters
    ----------
    survey, page, judge, now
        As of `report`.
    told : sequence of Judged
        What `report` gave back.

    Yields
    ------
    Attached
        What became of each.
    """
    from trainlens.attach import Wanted, attached

    wanted = Wanted(page.title, page.command, page.plots, now)
    yield from attached(survey, planned(survey, page.attach), judge, told, wanted)


def planned(survey: Survey, where: Sequence[str]) -> Plan:
    """What `attached` will do; nothing of it is imported where nothing is wanted."""
    if not where:
        return {}
    from trainlens.attach import planned

    return planned(survey, where)


def _at_once(
    survey: Survey, page: Page, judge: Judging, now: float, afterthoughts: Afterthoughts
) -> tuple[list[Judged], list[Path]]:
    # Importing what draws takes longer than reading a log: it is done beside it.
    with helper(_ready_to_draw, wanted=page.plots) as beside:
        from trainlens.render.folder import write_report

        diagnoses = list(survey.each(judge))
        diagnoses = compared(diagnoses)
        told = pointless(diagnoses)
        survey.notices += afterthoughts(told)
        written = write_report(
            diagnoses,
            page.folder,
            notices=survey.notices,
            formats=page.formats,
            plots=page.plots,
            title=page.title,
            command=page.command,
            comparison=held_against(page.baseline, [d.run for d in diagnoses]),
            now=now,
            helper=beside,
            told=page.told,
        )
    return told, written


def _check(survey: Survey, baseline: str) -> None:
    """Stop before any work where there is no such run.

    Raises
    ------
    UsageError
    """
    if baseline and baseline not in survey.names:
        raise UsageError(f"--baseline {baseline}: no such run; {nearest(baseline, survey.names)}")
    if baseline and len(survey) < 2:
        raise UsageError(f"--baseline {baseline}: there is no other run to compare it with")


def held_against(baseline: str, runs: Sequence[Run]) -> Comparison | None:
    """The comparison of a run with all others, None where no baseline is wanted.

    Parameters
    ----------
    baseline : str
        Name of one of the runs, or empty.
    runs : sequence of Run

    Raises
    ------
    UsageError
        No such run, no other one, or no metric in common.
    """
    if not baseline:
        return None
    from trainlens.comparison import compare

    names = [run.name for run in runs]
    if baseline not in names:
        raise UsageError(f"{baseline}: no such run; {nearest(baseline, names)}")
    return compare(runs[names.index(baseline)], [run for run in runs if run.name != baseline])


def _again(
    survey: Survey, baseline: str, judge: Judging, digests: Sequence[Digest], engine: Engine
) -> Comparison | None:
    """A comparison of runs whose points were let go: what is compared is read once more.

    The cache makes that quick; losses and measures of quality of all runs are held at once.
    """
    if not baseline:
        return None
    read = {d.told.name for d in digests}
    places = [i for i, name in enumerate(survey.names) if name in read]
    return held_against(
        baseline, list(survey.each(partial(only_compared, judge), engine, among=places))
    )


def _ready_to_draw() -> None:
    from trainlens.plots import ready

    ready()


def _one_by_one(
    survey: Survey,
    page: Page,
    judge: Judging,
    now: float,
    engine: Engine,
    ticking: Ticking,
    afterthoughts: Afterthoughts,
) -> tuple[list[Judged], list[Path]]:
    from trainlens.plots import comparison_pictures, draw_report
    from trainlens.render.folder import draw_pictures, make_folder, overlaid, write_pages

    make_folder(page.folder)
    few = len(survey) <= _AT_ONCE
    wanted = _extras(survey, page, sheets=range(len(survey))) if few else {}
    work = partial(shorten, judge, len(survey), now, wanted)
    digests = together(list(ticking(survey.each(work, engine), len(survey))))
    survey.notices += afterthoughts([d.told for d in digests])
    choice = choose(digests)
    if not few:
        wanted = _deserving(survey, page, digests, choice.key)
        places = sorted(extra.place for extra in wanted.values())
        list(survey.each(partial(detail, judge, now, wanted), engine, among=places))
    comparison = _again(survey, page.baseline, judge, digests, engine)
    beside = _beside(wanted)
    shared = overlaid([digests[i] for i in choice.drawn]) if page.plots else []
    both = comparison_pictures(comparison) if page.plots and comparison is not None else []
    drawn = [path.name for path in beside if path.suffix == ".png"]
    written = write_pages(
        digests,
        page.folder,
        notices=survey.notices,
        formats=page.formats,
        title=page.title,
        command=page.command,
        pages={n: f"{_RUNS}/{e.page.name}" for n, e in wanted.items() if e.page is not None},
        choice=choice,
        comparison=comparison,
        now=now,
        pictures=[*drawn, *(picture.name for picture in [*shared, *both])],
        told=page.told,
    )
    written += beside + draw_pictures(shared, page.folder, engine)
    written += draw_report(both, page.folder)
    return [d.told for d in digests], written


def _extras(
    survey: Survey, page: Page, sheets: Collection[int] = (), pages: Collection[int] = ()
) -> dict[str, Extra]:
    """What is wanted of runs at these places."""
    folder = page.folder / _RUNS
    return {
        survey.names[i]: Extra(
            page.folder if page.plots and i in sheets else None,
            i,
            folder / f"run-{i + 1:05d}.html" if i in pages else None,
        )
        for i in sorted({*sheets, *pages})
    }


def _deserving(
    survey: Survey, page: Page, digests: Sequence[Digest], key: Key | None
) -> dict[str, Extra]:
    """The runs of many that get a sheet, or a page of their own."""
    from trainlens.plots import with_sheet
    from trainlens.render.folder import make_folder

    place = {name: i for i, name in enumerate(survey.names)}
    told = [d.told for d in digests]
    chosen = detailed(digests, key, page.runs)
    pages = chosen if len(digests) > MANY and "html" in page.formats else ()
    if pages:
        make_folder(page.folder / _RUNS)
    drawable = with_sheet([(d.steps is not None, d.findings) for d in told])
    sheets = {place[told[k].name] for k in drawable} if page.plots else set()
    extras = _extras(survey, page, sheets, {place[told[k].name] for k in pages})
    return {d.name: replace(extras[d.name], told=d) for d in told if d.name in extras}


def _beside(wanted: Mapping[str, Extra]) -> list[Path]:
    """The files that runs got; one without a point has no sheet."""
    from trainlens.plots import sheet_name

    paths = [e.sheet / sheet_name(e.place) for e in wanted.values() if e.sheet is not None]
    pages = [e.page for e in wanted.values() if e.page is not None]
    return [path for path in [*paths, *pages] if path.exists()]
