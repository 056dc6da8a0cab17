"""A copy of this process that was made ready in good time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Helper:
    """A forked copy of this process that prepares itself while this one is still busy.

    The work must leave its result in files and may be done twice: where the copy fails at
    anything, `finish` does the work here, so that errors are raised as if there were no copy.
    The copy ends when this process does, however it ends.

    Parameters
    ----------
    prepare : callable
        What the copy does first: imports of weight.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        from multiprocessing import Pipe

        self._ours, theirs = Pipe()
        self._work: tuple[Callable[..., object], tuple[Any, ...]] | None = None
        self._child = os.fork()
        if self._child == 0:
            self._ours.close()
            _serve(theirs, prepare)
        theirs.close()

    def start(self, work: Callable[..., object], *arguments: Any) -> None:
        """Hand over the work and go on."""
        self._work = (work, arguments)
        try:
            self._ours.send(self._work)
        except OSError:
            self._ours.close()  # the copy is gone; `finish` will see it

    def finish(self) -> None:
        """Wait until the work is done."""
        work, self._work = self._work, None
        if work is not None and not self._answered():
            work[0](*work[1])

    def _answered(self) -> bool:
        try:
            return not self._ours.closed and self._ours.recv() is True
        except (EOFError, OSError):
            return False

    def close(self) -> None:
        """End the copy."""
        self._ours.close()
        os.waitpid(self._child, 0)


@contextmanager
def helper(prepare: Callable[[], object], *, wanted: bool = True) -> Iterator[Helper | None]:
    """A `Helper` for the length of a ``with``; None where there can be none.

    That is: not `wanted`, one processor only, a system that cannot fork, or other threads alive,
    whose locks a fork would copy.

    Parameters
    ----------
    prepare : callable
        See `Helper`.
    wanted : bool
    """
    possible = hasattr(os, "fork") and (os.cpu_count() or 1) > 1 and threading.active_count() == 1
    if not (wanted and possible):
        yield None
        return
    held = Helper(prepare)
    try:
        yield held
    finally:
        held.close()


def _serve(connection: Connection[Any, Any], prepare: Callable[[], object]) -> NoReturn:
    """Never return: what belongs to the parent (buffers, exit handlers) must not run twice."""
    code = 1
    try:
        # Ctrl-C is for the parent, whose end is seen as the end of the connection.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        prepare()
        work, arguments = connection.recv()
        work(*arguments)
        connection.send(True)
        code = 0
    finally:
        os._exit(code)
