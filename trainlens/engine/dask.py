"""A Dask cluster, through the executor that its client gives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, wait
from functools import partial
from typing import Any, TypeVar

from trainlens.engine.base import Lost, in_order
from trainlens.errors import MissingExtra, UsageError

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4
"""Items under way for each worker."""

PATIENCE = 10.0
"""Seconds that a scheduler has to answer, and a cluster to have a worker."""


class Dask:
    """The workers of a Dask cluster; those that are lost are replaced by the others.

    Items that were on a lost worker are done again elsewhere. Where the scheduler itself is lost,
    what is left is done in this process, which `notes` says.

    Parameters
    ----------
    address : str, optional
        Of the scheduler, ``tcp://host:8786``; None starts a cluster on this machine.
    workers : int, optional
        Processes of a cluster on this machine; None for one a core.
    patience : float
        See `PATIENCE`.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    UsageError
        No scheduler answers, it has no worker, or the workers lack trainlens.
    """

    def __init__(
        self, address: str | None = None, workers: int | None = None, patience: float = PATIENCE
    ) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtra("running on a Dask cluster", "dask") from None
        _silence()
        self.notes: list[str] = []
        self._cluster: Any = None if address else _cluster(distributed, workers)
        where = address or _address_of(self._cluster)
        self._client = _client(distributed, where, patience)
        try:
            self.workers = _ready(self._client, where, patience)
        except UsageError:
            self.close()
            raise
        self._executor = self._client.get_executor(pure=False)
        self._gone = False
        # A worker that dies over and over ends its item, not the cluster's patience.
        self._ended = (distributed.scheduler.KilledWorker,)

    def run(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R | Lost]:
        """See `Engine.run`."""
        submit = partial(self._submit, work)
        for item, future in in_order(submit, items, _AHEAD * self.workers):
            try:
                result: R | Lost = self._result(future)
            except self._ended:
                result = Lost("every worker of the cluster that worked on it was lost")
            except CancelledError:
                result = self._without(work, item)
            yield result

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._client.close(timeout=PATIENCE)
        if self._cluster is not None:
            self._cluster.close(timeout=PATIENCE)

    def _submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        if self._client.status != "running":
            future: Future[R] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future
        submitted: Future[R] = self._executor.submit(work, item)
        return submitted

    def _result(self, future: Future[R]) -> R:
        # A future of a scheduler that is gone for good never ends by itself.
        while not wait([future], timeout=1.0).done:
            if self._client.status not in ("running", "connecting"):
                raise CancelledError
        return future.result()

    def _without(self, work: Callable[[T], R], item: T) -> R:
        if not self._gone:
            self._gone = True
            self.notes.append("the Dask scheduler was lost; the rest was done on this machine")
        return work(item)


def _silence() -> None:
    # What it reports of lost workers is told by what becomes of their items.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _cluster(distributed: Any, workers: int | None) -> Any:
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )


def _address_of(cluster: Any) -> str:
    return str(cluster.scheduler_address)


def _client(distributed: Any, address: str, patience: float) -> Any:
    try:
        return distributed.Client(address, timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = "no Dask scheduler answers there" if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"--scheduler {address}: {reason}; check the address and that it runs, or leave "
            "--scheduler out for a cluster on this machine"
        ) from None


def _ready(client: Any, address: str, patience: float) -> int:
    """How many threads the workers have together, now that they are known to be able to work."""
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise UsageError(
            f"--scheduler {address}: the scheduler has no worker; start some with `dask worker "
            f"{address}`"
        ) from None
    for worker, found in client.run(_version, on_error="return").items():
        if found != _version():
            has = "has no trainlens" if isinstance(found, BaseException) else f"has {found}"
            raise UsageError(
                f"--scheduler {address}: the worker {worker} {has}, here it is {_version()}; "
                "install the same version there"
            )
    return sum(client.nthreads().values())


def _version() -> str:
    import trainlens

    return f"trainlens {trainlens.__version__}"
