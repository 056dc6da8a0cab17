"""Where the runs of a survey are read and judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trainlens.chunk import Notice
from trainlens.engine import Engine, chosen
from trainlens.engine.choose import cores
from trainlens.readers import Survey

MANY, LARGE = 64, 64 << 20
"""So many runs, or so many bytes in several runs, are worth a process a core."""


@dataclass(frozen=True)
class Place:
    """Where runs are read and judged.

    Parameters
    ----------
    workers : int, optional
        Processes; None lets the runs decide.
    engine : {"local", "dask"}
    scheduler : str, optional
        Of a Dask cluster.
    """

    workers: int | None = None
    engine: str = "local"
    scheduler: str | None = None


@contextmanager
def engine_for(survey: Survey, place: Place) -> Iterator[Engine]:
    """The engine that suits some runs; what went wrong with it becomes a notice of theirs.

    Raises
    ------
    UsageError, MissingExtra
        It is not to be had.
    """
    several = len(survey) > 1
    pays = len(survey) >= MANY or (several and survey.size >= LARGE)
    workers = place.workers
    if workers is None and place.engine == "local":
        workers = min(cores(), len(survey)) if pays else 1
    with chosen(place.engine, workers, place.scheduler) as engine:
        yield engine
        where = place.scheduler or "Dask"
        survey.notices += [Notice("cluster", where, note) for note in engine.notes]
