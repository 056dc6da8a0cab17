"""What is done with each run where it was read: functions that any engine can carry elsewhere.

Each takes a Run last and gives back what remains when its points are let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlens import rules, words
from trainlens.judged import Judged, judged
from trainlens.prescribe import prescribe
from trainlens.rules import Diagnosis
from trainlens.run import Run

if TYPE_CHECKING:
    from trainlens.reporting.digest import Digest


@dataclass(frozen=True)
class Judging:
    """How runs are judged; the parameters are those of `trainlens.diagnose`."""

    profile: str = "default"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __call__(self, run: Run) -> Diagnosis:
        """Judge a run by every rule and say what to do about what is wrong."""
        found = rules.diagnose(
            run,
            profile=self.profile,
            select=self.select,
            ignore=self.ignore,
            settings=self.settings,
        )
        return prescribe(found)


def tell(judge: Judging, run: Run) -> Judged:
    """For ``diagnose``."""
    return judged(judge(run))


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
    """

    sheet: Path | None
    place: int
    page: Path | None = None


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
        _write(diagnosis, wanted[run.name], now)
    return digest(diagnosis, runs=runs, now=now)


def detail(judge: Judging, now: float, wanted: Mapping[str, Extra], run: Run) -> None:
    """For ``report`` of many runs: sheet and page of one that proved to deserve them."""
    _write(judge(run), wanted[run.name], now)


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
    cells = (run.name, run.format, span, str(len(run.series)), words.step(run.points),
             str(run.attempts), age, damage)  # fmt: skip
    return Row(cells, bool(lost))
