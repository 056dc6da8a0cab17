"""What is done with each run where it was read: functions that any engine can carry elsewhere.

Each takes a Run last and gives back what remains when its points are let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlens import rules, words
from trainlens.judged import Judged, judged
from trainlens.prescribe import prescribe
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity
from trainlens.run import Run
from trainlens.settings import Meaning, Suppression, with_meanings, with_suppressions
from trainlens.words import shortened

if TYPE_CHECKING:
    from trainlens.prescribe.plan import Prepared
    from trainlens.reporting.digest import Digest


@dataclass(frozen=True)
class Judging:
    """How runs are judged.

    Parameters
    ----------
    profile, select, ignore, settings
        As in `trainlens.rules.diagnose`.
    severity : mapping of rule to severity
        Of all its faults, in place of its own.
    roles : tuple of Meaning
        What metrics mean, in place of what their names tell.
    suppress : tuple of Suppression
        Faults that do not count.
    own : tuple of str
        Packages whose rules are asked as well.
    """

    profile: str = "default"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[Meaning, ...] = ()
    suppress: tuple[Suppression, ...] = ()
    own: tuple[str, ...] = ()

    def __call__(self, run: Run) -> Diagnosis:
        """Judge a run by every rule and say what to do about what is wrong."""
        run, used = with_meanings(run, self.roles)
        found = rules.diagnose(
            run,
            profile=self.profile,
            select=self.select,
            ignore=self.ignore,
            settings=self.settings,
            own=self.own,
        )
        return replace(self._counted(prescribe(self._graded(found))), used=used)

    def _graded(self, found: Diagnosis) -> Diagnosis:
        """With the severities that are wanted."""
        if not self.severity:
            return found
        return replace(found, results=tuple(map(self._grade, found.results)))

    def _grade(self, finding: Finding) -> Finding:
        if not finding.failed or finding.rule not in self.severity:
            return finding
        return replace(finding, severity=Severity(self.severity[finding.rule]))

    def _counted(self, found: Diagnosis) -> Diagnosis:
        """With the reason at what does not count; advice has weighed it none the less."""
        if not self.suppress:
            return found
        run = found.run
        results = with_suppressions(run.name, run.source, found.results, self.suppress)
        return replace(found, results=results)


def tell(judge: Judging, run: Run) -> Judged:
    """For ``diagnose``."""
    return judged(judge(run))


def glance(judge: Judging, now: float, run: Run) -> Digest:
    """For ``diagnose`` where people read it."""
    from trainlens.reporting.digest import glance as short

    return short(judge(run), now=now)


def prepare(judge: Judging, run: Run) -> Prepared:
    """For ``prescribe``."""
    from trainlens.prescribe.plan import prepared

    return prepared(judge(run))


@dataclass(frozen=True)
class Extra:
    """What a report wants of a run while its points are at hand.

    Parameters
    ----------
    sheet : Path or None
        Folder for its sheet of plots.
    place : int
        Of the run among all, from 0.
    page : Path or None
        File for a page of its own.
    told : Judged or None
        The run with what the others tell about it, where that is known already.
    """

    sheet: Path | None
    place: int
    page: Path | None = None
    told: Judged | None = None


def shorten(judge: Judging, runs: int, now: float, wanted: Mapping[str, Extra], run: Run) -> Digest:
    """For ``report``.

    Parameters
    ----------
    judge : Judging
    runs : int
        How many runs the report will have.
    now : float
        Unix seconds.
    wanted : mapping of name of a run to Extra
    run : Run
    """
    from trainlens.reporting.digest import digest

    diagnosis = judge(run)
    if run.name in wanted:
        _write(diagnosis, _deserved(wanted[run.name], diagnosis), now)
    return digest(diagnosis, runs=runs, now=now)


def detail(judge: Judging, now: float, wanted: Mapping[str, Extra], run: Run) -> None:
    """For ``report`` of many runs: sheet and page of one that proved to deserve them."""
    diagnosis, extra = judge(run), wanted[run.name]
    if extra.told is not None:
        run = replace(run, notices=extra.told.notices)
        diagnosis = replace(diagnosis, run=run, results=extra.told.results)
    _write(diagnosis, extra, now)


def _deserved(extra: Extra, diagnosis: Diagnosis) -> Extra:
    """Without a sheet where the run tells too little for one; nobody has chosen among all yet."""
    if extra.sheet is None:
        return extra
    from trainlens.plots import telling

    return extra if telling(extra.place, diagnosis.findings) else replace(extra, sheet=None)


def _write(diagnosis: Diagnosis, extra: Extra, now: float) -> None:
    if extra.sheet is not None and diagnosis.run.points:
        from trainlens import plots

        plots.ready()
        plots.draw_report([plots.sheet(diagnosis, extra.place)], extra.sheet)
    if extra.page is not None:
        from trainlens.render.folder import write_page

        write_page("html", extra.page, [diagnosis], now=now)


@dataclass(frozen=True)
class Row:
    """A run in a list.

    Parameters
    ----------
    cells : tuple of str
        Name, format, steps, metrics, points, attempts, age, damage.
    lost : bool
        Whether a record was lost.
    """

    cells: tuple[str, ...]
    lost: bool


def row(now: float, run: Run) -> Row:
    """For ``ls``."""
    first, last = run.steps or (None, None)
    span = (
        f"{words.step(first)}–{words.step(last)}" if first is not None and last is not None else "–"
    )
    age = words.duration(max(0.0, now - run.wall_times[1])) if run.wall_times else "unknown"
    lost = [n for n in run.notices if n.lost != 0]
    known = sum(n.lost or 0 for n in lost)
    damage = (
        "" if not lost else f"{words.plural(known, 'record')} lost" if known else "unknown loss"
    )
    if not run.points:
        # Of a run without points, why it has none.
        said = [n.message for n in run.notices if n.kind == "event"]
        damage = damage or (shortened(said[-1]) if said else "")
    cells = (run.name, run.format, span, str(len(run.series)), words.step(run.points),
             str(run.attempts), age, damage)  # fmt: skip
    return Row(cells, bool(lost))


def only_compared(judge: Judging, run: Run) -> Run:
    """A run without the series that a comparison does not look at."""
    run, _ = with_meanings(run, judge.roles)
    kept = {k: s for k, s in run.series.items() if s.role.name in ("loss", "metric")}
    return replace(run, series=kept)
