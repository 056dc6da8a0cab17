"""Makes the report of each run once and puts it in its homes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainlens.attach.homes import Plan, home
from trainlens.attach.parcel import Wanted, packed
from trainlens.errors import MissingExtra, OutputError, TrainlensError
from trainlens.judged import Judged
from trainlens.readers import Survey
from trainlens.readers.base import Source
from trainlens.rules import Diagnosis
from trainlens.run import Run
from trainlens.work import Judging


@dataclass(frozen=True)
class Attached:
    """What became of the report of a run in one home.

    Parameters
    ----------
    run : str
    home : str
        Of `WHERE`, without ``auto``.
    place : str
        Where the report is now; empty where it was refused.
    refused : str
        Why, and what to do; else empty.
    """

    run: str
    home: str
    place: str = ""
    refused: str = ""

    def __str__(self) -> str:
        if self.refused:
            return f"Not attached ({self.home}): {self.run}: {self.refused}"
        return f"Attached: {self.run}: {self.place}"


def attached(
    survey: Survey, plan: Plan, judge: Judging, told: Sequence[Judged], wanted: Wanted
) -> Iterator[Attached]:
    """Attach the reports of some runs; each is read once more and let go.

    Parameters
    ----------
    survey : Survey
        That was read before.
    plan : dict
        As `planned` gives it.
    judge : Judging
        The one that was used before.
    told : sequence of Judged
        What the report says of the runs that could be read, with what the others tell of each.
    wanted : Wanted

    Yields
    ------
    Attached
        One for each run and home. Where one is refused, the others go on.
    """
    known = {one.name: one for one in told}
    places = [i for i, name in enumerate(survey.names) if name in plan and name in known]
    sources = {survey.names[i]: survey.sources[i] for i in places}

    def work(run: Run) -> list[Attached]:
        diagnosis = _as_told(judge(run), known[run.name])
        return _put(diagnosis, sources[run.name], plan[run.name], wanted)

    try:
        for done in survey.each(work, among=places):
            yield from done
    finally:
        for where in {where for homes in plan.values() for where in homes}:
            getattr(home(where), "close", _nothing)()


def _nothing() -> None:
    """Of a home that holds nothing open."""


def _as_told(diagnosis: Diagnosis, told: Judged) -> Diagnosis:
    run = replace(diagnosis.run, notices=told.notices)
    return replace(diagnosis, run=run, results=told.results)


def _put(
    diagnosis: Diagnosis, source: Source, homes: Sequence[str], wanted: Wanted
) -> list[Attached]:
    name = diagnosis.run.name
    try:
        with tempfile.TemporaryDirectory(prefix="trainlens-") as folder:
            parcel = packed(diagnosis, Path(folder), wanted)
            done = []
            for where in homes:
                try:
                    done.append(Attached(name, where, home(where).put(parcel, source)))
                except (OutputError, MissingExtra) as error:
                    done.append(Attached(name, where, refused=str(error)))
            return done
    except (TrainlensError, OSError) as error:
        # No room for a report that passes: nothing was put anywhere.
        return [Attached(name, where, refused=str(error)) for where in homes]
