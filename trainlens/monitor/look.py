"""A look at a run: it is read from its beginning and judged by all rules, as offline."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trainlens import rules
from trainlens.detect.ending import finished
from trainlens.detect.rates import planned_total
from trainlens.errors import MissingExtra, SourceError
from trainlens.judged import Judged
from trainlens.monitor.model import Chance
from trainlens.readers import read
from trainlens.readers.base import Source
from trainlens.run import Run
from trainlens.work import Judging

if TYPE_CHECKING:
    from trainlens.monitor.outlook import Target
    from trainlens.reporting.digest import Digest

Print = tuple[str, str, str]
"""Metric, split, and value and time of its first point."""
_PRINTS = 12
_CLOCKED = "stalled-log"


@dataclass(frozen=True)
class Wanted:
    """What a look is to bring.

    Parameters
    ----------
    judge : Judging
    now : float
        Unix seconds that a page carries.
    silence : float
        Seconds for which nothing was written. The clock of the log may be another than ours, and
        ours may jump: for `stalled-log` it is so much later than the last record says.
    final : bool
        Whether the last record will not be completed any more.
    pages : int
        Of how many runs a page shows this one; 0 for no page.
    target : Target or None
        Whose chance is asked for.
    """

    judge: Judging
    now: float
    silence: float = 0.0
    final: bool = False
    pages: int = 0
    target: Target | None = None


@dataclass(frozen=True)
class Looked:
    """What a look has seen.

    Parameters
    ----------
    told : Judged
    points : int
    planned : int or None
        Last step that is planned.
    ended : bool
        Whether the run has come to its end, as its log tells.
    prints : tuple of Print
        The first points of some metrics: by them a run is known again.
    digest : Digest or None
        For a page.
    chance : Chance or None
    cost : float
        Seconds of processor time.
    """

    told: Judged
    points: int
    planned: int | None
    ended: bool
    prints: tuple[Print, ...]
    digest: Digest | None
    chance: Chance | None
    cost: float = 0.0


Failure = SourceError | MissingExtra


def look(wanted: Wanted, source: Source, name: str) -> Looked | Failure:
    """Read and judge a run.

    Parameters
    ----------
    wanted : Wanted
    source : Source
    name : str

    Returns
    -------
    Looked, or why the run cannot be read
    """
    begin = time.process_time()
    try:
        run = read(source, name, final=wanted.final)
    except (SourceError, MissingExtra) as error:
        return error
    found = judged_run(wanted, run)
    return replace(found, cost=time.process_time() - begin)


def judged_run(wanted: Wanted, run: Run) -> Looked:
    """What a look at a run that has been read says."""
    diagnosis = _with_clock(wanted, run)(run)
    digest = None
    if wanted.pages:
        from trainlens.reporting.digest import digest as short

        digest = short(diagnosis, runs=wanted.pages, now=wanted.now)
        told = digest.told
    else:
        from trainlens.judged import judged

        told = judged(diagnosis)
    return Looked(
        told, run.points, _planned(run), finished(run), _prints(run), digest,
        _chance(diagnosis.run, wanted.target),
    )  # fmt: skip


def _with_clock(wanted: Wanted, run: Run) -> Judging:
    """Judging that knows what time it is; a threshold that the user sets stays."""
    judge = wanted.judge
    known = rules.all_rules(judge.profile, judge.own).get(_CLOCKED)
    if known is None or "now" not in known.defaults or run.wall_times is None:
        return judge
    own = {"now": run.wall_times[1] + wanted.silence, **judge.settings.get(_CLOCKED, {})}
    return replace(judge, settings={**judge.settings, _CLOCKED: own})


def _planned(run: Run) -> int | None:
    series = run.main("loss", "train") or next(iter(run.training_series), None)
    total = planned_total(run, series)
    return round(total) if total is not None else None


def _prints(run: Run) -> tuple[Print, ...]:
    keys = sorted(key for key, s in run.series.items() if len(s))[:_PRINTS]
    held = ((key, run.series[key]) for key in keys)
    return tuple((*key, f"{float(s.value[0])} {float(s.wall_time[0])}") for key, s in held)


def _chance(run: Run, target: Target | None) -> Chance | None:
    if target is None:
        return None
    from trainlens.monitor.outlook import chance

    return chance(run, target)
