"""The report of the runs in some paths: what is done here, what elsewhere, what is held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from trainlens.across import compared
from trainlens.engine import Engine, helper
from trainlens.judged import Judged, pointless
from trainlens.place import LARGE, Place, engine_for
from trainlens.readers import Survey
from trainlens.reporting import MANY, Digest, together
from trainlens.reporting.selection import choose, detailed
from trainlens.run import Key, Notice, Run
from trainlens.sides import Arms, sides_of
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

    Beside them `runs`: how many runs of many get a page of their own at most. `paths`: what the
    survey is of, `baseline` and `group_by`: which of its runs are held against which others, see
    `trainlens.sides.sides_of`. `attach`: where the report of each run is put as well, see
    `trainlens.attach.WHERE`. `told` is given what the report says, for those who do not open it.
    """

    folder: Path
    formats: Sequence[str] = ("html",)
    title: str = ""
    command: str = ""
    plots: bool = True
    runs: int = 50
    paths: Sequence[str] = ()
    baseline: str = ""
    group_by: str = ""
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
        Runs cannot be compared as it is wanted, or a report cannot be attached where it is wanted.
    """
    sides = sides_of(survey, page.paths, baseline=page.baseline, group_by=page.group_by)
    planned(survey, page.attach)
    few = len(survey) <= _AT_ONCE and survey.size <= LARGE
    if few and place in (None, Place(), Place(workers=1)):
        return _at_once(survey, page, judge, now, afterthoughts, sides)
    with engine_for(survey, place or Place()) as engine:
        return _one_by_one(survey, page, judge, now, engine, ticking, afterthoughts, sides)


def pictures(survey: Survey, folder: Path, judge: Judging) -> tuple[list[Judged], list[Path]]:
    """Read and judge the runs of a survey, and draw the pictures of their report alone.

    Returns
    -------
    judged : list of Judged
    written : list of Path

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
    diagnoses = compared(list(survey.each(judge)))
    wanted = plots.pictures(diagnoses)
    plots.draw_report(wanted, folder)
    return pointless(diagnoses), [folder / picture.name for picture in wanted]


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
    survey: Survey,
    page: Page,
    judge: Judging,
    now: float,
    afterthoughts: Afterthoughts,
    sides: Arms | None,
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
            comparison=compared_as(sides, [d.run for d in diagnoses]),
            now=now,
            helper=beside,
            told=page.told,
        )
    return told, written


def compared_as(sides: Arms | None, runs: Sequence[Run]) -> Comparison | None:
    """The comparison of the sides that runs make, None where none is wanted.

    Raises
    ------
    UsageError
        They make no sides, or have no metric in common.
    """
    if sides is None:
        return None
    from trainlens.comparison import compare

    baseline, *others = sides(runs)
    return compare(baseline, others)


def _read_for(
    survey: Survey, sides: Arms | None, judge: Judging, engine: Engine, among: Sequence[int]
) -> tuple[Comparison | None, Sequence[int]]:
    """The comparison of runs that are read for it alone, and which of them can be read.

    The cache makes the other reading quick. Losses and measures of quality of all runs are held
    at once.
    """
    if sides is None:
        return None, among
    runs = list(survey.each(partial(only_compared, judge), engine, among))
    read = {run.name for run in runs}
    return compared_as(sides, runs), [i for i in among if survey.names[i] in read]


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
    sides: Arms | None,
) -> tuple[list[Judged], list[Path]]:
    from trainlens.plots import comparison_pictures, draw_report
    from trainlens.render.folder import draw_pictures, make_folder, overlaid, write_pages

    among: Sequence[int] = range(len(survey))
    few = len(survey) <= _AT_ONCE
    if few:  # Their sheets are drawn while they are read: what cannot be compared is known before.
        comparison, among = _read_for(survey, sides, judge, engine, among)
    make_folder(page.folder)
    wanted = _extras(survey, page, sheets=range(len(survey))) if few else {}
    work = partial(shorten, judge, len(survey), now, wanted)
    digests = together(list(ticking(survey.each(work, engine, among), len(among))))
    survey.notices += afterthoughts([d.told for d in digests])
    choice = choose(digests)
    if not few:
        read = {d.told.name for d in digests}
        among = [i for i, name in enumerate(survey.names) if name in read]
        comparison, _ = _read_for(survey, sides, judge, engine, among)
        wanted = _deserving(survey, page, digests, choice.key)
        places = sorted(extra.place for extra in wanted.values())
        list(survey.each(partial(detail, judge, now, wanted), engine, among=places))
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
