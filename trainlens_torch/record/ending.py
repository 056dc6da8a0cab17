"""What has to happen when a process ends or forks: no thread is forgotten, none is inherited."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import weakref
from typing import Protocol

__all__ = ["Closable", "Renewable", "ended", "renewed_after_fork", "started"]

_TIMEOUT = 30.0  # the libraries behind some sinks take seconds to load


class Closable(Protocol):
    """A writer with a thread."""

    def close(self, timeout: float) -> None:
        """End it."""


class Renewable(Protocol):
    """Something that a forked process must make anew."""

    def renew(self) -> None:
        """Called in the child, which has one thread."""


_running: set[Closable] = set()
_renewable: weakref.WeakSet[Renewable] = weakref.WeakSet()
_finalized_in: list[int] = []


def started(writer: Closable) -> None:
    """Have a writer closed at the end of the process, unless it `ended` before."""
    _finalize_here()
    _running.add(writer)


def ended(writer: Closable) -> None:
    """It needs no end any more."""
    _running.discard(writer)


def renewed_after_fork(one: Renewable) -> None:
    """Call its `renew` in every process that is forked from this one."""
    _renewable.add(one)


def _finalize_here() -> None:
    """Processes of multiprocessing end without `atexit`; they have finalizers of their own."""
    process = os.getpid()
    if multiprocessing.parent_process() is not None and process not in _finalized_in:
        from multiprocessing.util import Finalize

        _finalized_in[:] = [process]
        Finalize(None, _close_all, exitpriority=10)


def _close_all() -> None:
    for writer in list(_running):
        writer.close(_TIMEOUT)


def _forked() -> None:
    _running.clear()
    for one in list(_renewable):
        one.renew()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
