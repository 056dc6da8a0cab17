"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from typing import TypeVar

from trainlens.engine.base import Lost, in_order

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4
"""Items under way for each worker: enough that none waits, few enough to hold."""


class Pool:
    """So many processes; one that dies takes no item with it that another can do.

    When a process dies (the system kills the largest when memory runs out), nobody knows which of
    the items under way was its last: each of them is done again, alone, and only the one that
    ends its process once more is `Lost`.

    Parameters
    ----------
    workers : int
        At least 1.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.notes: list[str] = []
        self._others = set(multiprocessing.active_children())
        self._executor = _executor(workers)
        self._at_work = False

    def run(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R | Lost]:
        """See `Engine.run`."""
        submit = partial(self._submit, work)
        self._at_work = True
        for item, future in in_order(submit, items, _AHEAD * self.workers):
            try:
                result: R | Lost = future.result()
            except BrokenExecutor:
                result = self._alone(work, item)
            yield result
        self._at_work = False

    def close(self) -> None:
        """End the processes, also those at work."""
        if self._at_work:
            for process in set(multiprocessing.active_children()) - self._others:
                process.terminate()
        # Its own thread sees that they are gone, and tidies up.
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        try:
            return self._executor.submit(work, item)
        except BrokenExecutor:
            self._executor = _executor(self.workers)
            return self._executor.submit(work, item)

    def _alone(self, work: Callable[[T], R], item: T) -> R | Lost:
        with _executor(1) as executor:
            try:
                return executor.submit(work, item).result()
            except BrokenExecutor:
                return Lost("the process that worked on it was killed; memory may have run out")


def _executor(workers: int) -> ProcessPoolExecutor:
    # A fork starts at once and has imported everything; with other threads alive it could copy
    # a lock that nobody will ever open.
    fork = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if fork else "spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


def _begin() -> None:
    """Ctrl-C ends a worker without a word, and so does the end of its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
