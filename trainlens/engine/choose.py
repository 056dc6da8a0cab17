"""Which engine a job gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from trainlens.engine.base import Engine
from trainlens.engine.here import Here
from trainlens.errors import UsageError

NAMES = ("local", "dask")


@contextmanager
def chosen(
    name: str = "local", workers: int | None = None, scheduler: str | None = None
) -> Iterator[Engine]:
    """An engine for the length of a ``with``.

    Parameters
    ----------
    name : {"local", "dask"}
    workers : int, optional
        Processes; 1 is this one. None: one a core, which pays for many runs only, so it is a
        matter of who asks.
    scheduler : str, optional
        Address of a Dask scheduler.

    Raises
    ------
    UsageError
        Settings that contradict each other, or a cluster that is not there.
    MissingExtra
        Dask is not installed.
    """
    if scheduler and name != "dask":
        raise UsageError("--scheduler is for --engine dask; add it, or leave --scheduler out")
    if scheduler and workers:
        raise UsageError("--workers is for processes started here; leave it or --scheduler out")
    engine = _engine(name, workers, scheduler)
    try:
        yield engine
    finally:
        engine.close()


def _engine(name: str, workers: int | None, scheduler: str | None) -> Engine:
    if name == "dask":
        from trainlens.engine.dask import Dask

        return Dask(scheduler, workers)
    if (workers or cores()) > 1:
        from trainlens.engine.pool import Pool

        return Pool(workers or cores())
    return Here()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
