"""Calls to a filesystem elsewhere: several at once, bounded in time, tried again.

The threads are daemons on purpose: one that waits for a host that never answers must not keep
the command from ending, as those of `concurrent.futures` would.
"""

from __future__ import annotations

import errno
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError)
"""Failures that another try will not mend."""

_BACKENDS = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "asyncio": ("TimeoutError",),  # an OSError from Python 3.11 on
    "aiohttp": ("ClientError",),
    "paramiko": ("SSHException",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "gcsfs.retry": ("HttpError",),
    "azure.core.exceptions": ("AzureError",),
    "fsspec.exceptions": ("BlocksizeMismatchError", "FSTimeoutError"),
}


def failures() -> tuple[type[Exception], ...]:
    """What a filesystem may raise: the system's errors, and those of backends in use."""
    found: list[type[Exception]] = [OSError, EOFError, ValueError, RuntimeError]
    for module, names in _BACKENDS.items():
        held = sys.modules.get(module)
        found += [getattr(held, name) for name in names if hasattr(held, name)]
    return tuple(found)


def reason(error: BaseException) -> str:
    """What an error says, as part of one line."""
    text = (getattr(error, "strerror", None) or str(error)).strip() or type(error).__name__
    line = " ".join(text.split())
    return line[:240].rstrip(".")


class _Task(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


class Calls:
    """Makes calls and waits for them, but not for ever.

    Parameters
    ----------
    tries : int
        How often a call is made before its failure counts.
    timeout : float
        Seconds to wait for the answer to one call.
    sleep : callable
        Called with the seconds to wait between two tries.
    workers : int
        Calls that are under way at once.
    """

    def __init__(
        self,
        *,
        tries: int = 3,
        timeout: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
        workers: int = 16,
    ) -> None:
        self._tries = tries
        self._timeout = timeout
        self._sleep = sleep
        self._workers = workers

    def once(self, call: Callable[..., R], *args: Any, timeout: float = 0.0, **kwargs: Any) -> R:
        """Result of a call that is tried again where it fails; `timeout` in place of the usual.

        Raises
        ------
        TimeoutError
            There was no answer in time.
        """
        work = self.each(lambda _: call(*args, **kwargs), [None], timeout=timeout)
        _, result = next(work)
        if isinstance(result, BaseException):
            raise result
        return result

    def each(
        self, work: Callable[[T], R], items: Iterable[T], *, timeout: float = 0.0
    ) -> Iterator[tuple[T, R | Exception]]:
        """Items with what came of them, in their order, several under way at a time.

        Parameters
        ----------
        work : callable
        items : iterable
            Taken from a little ahead of the results.
        timeout : float
            In place of the usual.

        Yields
        ------
        item, result
            The result is an exception where every try failed. After one call without an answer
            in time, those still under way are given no more time.
        """
        waiting: queue.SimpleQueue[_Task[T] | None] = queue.SimpleQueue()
        source = iter(items)
        under_way: deque[_Task[T]] = deque()
        threads = 0
        patience = timeout or self._timeout
        try:
            while True:
                for item in islice(source, 2 * self._workers - len(under_way)):
                    under_way.append(_Task(item))
                    waiting.put(under_way[-1])
                    if threads < self._workers:
                        threads += 1
                        self._start(work, waiting)
                if not under_way:
                    return
                task = under_way.popleft()
                if not task.done.wait(patience):
                    task.error = TimeoutError(f"no answer within {patience:g} seconds")
                    patience = 0.0
                yield task.item, _result(task)
        finally:
            for _ in range(threads):
                waiting.put(None)

    def _start(
        self, work: Callable[[T], object], waiting: queue.SimpleQueue[_Task[T] | None]
    ) -> None:
        def serve() -> None:
            while (task := waiting.get()) is not None:
                try:
                    task.value = self._tried(work, task.item)
                except BaseException as error:  # handed to the thread that waits for it
                    task.error = error
                task.done.set()

        threading.Thread(target=serve, name="trainlens-remote", daemon=True).start()

    def _tried(self, work: Callable[[T], R], item: T) -> R:
        for attempt in range(self._tries - 1):
            try:
                return work(item)
            except failures() as error:
                if lasting(error):
                    raise
                self._sleep(0.5 * 2**attempt)
        return work(item)


def lasting(error: BaseException) -> bool:
    """Whether the same call would fail in the same way again."""
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.ENOSPC):
        return True
    return isinstance(error, _LASTING) or "Credential" in type(error).__name__


def _result(task: _Task[Any]) -> Any:
    if task.error is None:
        return task.value
    if isinstance(task.error, failures()):
        return task.error
    raise task.error
