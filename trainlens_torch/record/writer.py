"""Who writes the entries of a logger: a thread behind a bounded queue, or the caller itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol, cast

from trainlens_torch.record import ending
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.held import Held, Waiting
from trainlens_torch.record.hole import Hole
from trainlens_torch.record.pipeline import Pipeline

__all__ = ["Direct", "Threaded", "Writer"]

_POLL, _FLUSH = 0.05, 0.5
_BATCH = 4096
_PLAIN = frozenset({Entry})
_ENTRIES = frozenset({Entry, Waiting})


class Writer(Protocol):
    """Takes entries and sees to it that they are written."""

    def add(self, item: Entry | Waiting) -> None:
        """Take one; never raises for what a sink does."""

    def opened(self, timeout: float) -> bool:
        """Whether every sink was tried to be opened within this time."""

    def flush(self, timeout: float) -> bool:
        """Have all of them written and durable; whether they are."""

    def end(self) -> None:
        """Ask for the end, without a wait and without a lock."""

    def close(self, timeout: float) -> None:
        """Write what is there and end, within `timeout` seconds where that is possible."""


class Direct:
    """Writes in the thread that calls, before `add` returns.

    Parameters
    ----------
    pipeline : Pipeline
    faults : Faults
    ticks : callable
        Seconds that never go back; every 0.5 s what was written is made durable.
    """

    def __init__(
        self, pipeline: Pipeline, faults: Faults, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._pipeline = pipeline
        self._held = Held(lambda entry, error: _unread(faults, entry, error))
        self._ticks = ticks
        self._flushed = ticks()
        # A signal handler may log while the same thread is in here.
        self._lock = threading.RLock()
        self._closed = False
        ending.started(self)
        pipeline.open()

    def opened(self, timeout: float) -> bool:
        """They were, before there was this object."""
        return True

    def add(self, item: Entry | Waiting) -> None:
        """Write one entry; its tensors are waited for."""
        with self._lock:
            self._pipeline.write(self._held.through((item,), wait=True), now=True)
            if self._ticks() - self._flushed >= _FLUSH:
                self._pipeline.flush(now=False)
                self._flushed = self._ticks()

    def flush(self, timeout: float) -> bool:
        """Make durable what was written."""
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            return self._pipeline.flush()
        finally:
            self._lock.release()

    def end(self) -> None:
        """End every sink: nothing waits here."""
        self.close(0.0)

    def close(self, timeout: float) -> None:
        """End every sink."""
        if not self._lock.acquire(timeout=timeout):
            return
        try:
            if not self._closed:
                self._closed = True
                self._pipeline.close()
                ending.ended(self)
        finally:
            self._lock.release()


class _Flush:
    """A place in the queue: all before it is to be durable."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.durable = False


class Threaded:
    """Writes in a thread of its own, from a bounded queue.

    `add` is an append to a deque: no lock, no wake-up, no call of the system. The thread looks
    every 50 ms and takes what is there at once, so that it asks for the interpreter rarely.
    Where the queue is full, new entries are dropped: what was taken stays, in order, and one
    record more says how many are missing behind it.

    Parameters
    ----------
    pipeline : Pipeline
        Opened, used and closed in the thread alone.
    limit : int
        Entries that may wait.
    faults : Faults
    clock : callable
        Unix seconds.
    collect : callable
        Brings values that have come from devices to their entries; called before each look.
    poll, flush_every : float
        Seconds.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        limit: int,
        faults: Faults,
        clock: Callable[[], float],
        collect: Callable[[], None] = lambda: None,
        poll: float = _POLL,
        flush_every: float = _FLUSH,
    ) -> None:
        self._pipeline = pipeline
        self._limit = limit
        self._faults = faults
        self._collect = collect
        self._poll, self._flush_every = poll, flush_every
        self._queue: deque[Entry | Waiting | _Flush | None] = deque()
        # Its `put` may come between at any place, unlike that of a lock or an event.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._hole = Hole(limit, self._queue, faults, clock)
        self._held = Held(lambda entry, error: _unread(faults, entry, error))
        self._open = threading.Event()
        self._ending = False
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="trainlens writer", daemon=True)
        ending.started(self)
        self._thread.start()

    def add(self, item: Entry | Waiting) -> None:
        """Queue one entry; drop and count it where the queue is full."""
        if self._hole.open or len(self._queue) >= self._limit:
            self._hole.add(item)
        else:
            self._queue.append(item)

    def opened(self, timeout: float) -> bool:
        """Whether every sink was tried to be opened within this time."""
        return self._open.wait(timeout)

    def flush(self, timeout: float) -> bool:
        """Have all that was added written and durable; False where it takes longer, or fails."""
        if not self._thread.is_alive():
            return False
        request = _Flush()
        self._hole.close()
        self._queue.append(request)
        self._wake.put(None)
        return request.done.wait(timeout) and request.durable

    def end(self) -> None:
        """Ask for the end; the thread finds it at its next look."""
        self._hole.close()
        self._queue.append(None)

    def close(self, timeout: float) -> None:
        """Write what is there, and end; what is not written in time is dropped and counted."""
        if self._given_up:
            return
        self.end()
        self._wake.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._given_up = True
            left = sum(isinstance(item, Entry | Waiting) for item in list(self._queue))
            left += self._pipeline.waiting
            self._faults.drop(left)
            late = TimeoutError(f"not written after {timeout:g} s; {left} records are dropped")
            self._faults.tell("close", late)

    def _run(self) -> None:
        self._pipeline.open()
        self._open.set()
        flushed = time.monotonic()
        while not self._ending and not self._given_up:
            self._rest()
            self._drain()
            if time.monotonic() - flushed >= self._flush_every:
                self._pipeline.flush(now=False)
                flushed = time.monotonic()
        self._pipeline.close()
        ending.ended(self)

    def _rest(self) -> None:
        try:
            self._wake.get(timeout=self._poll)
        except Empty:
            return

    def _drain(self) -> None:
        """Write what is there now; what comes meanwhile too, but not for ever."""
        for _ in range(1 + self._limit // _BATCH):
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
            self._take(batch)
            if not self._queue or self._given_up:
                return

    def _take(self, batch: list[Entry | Waiting | _Flush | None]) -> None:
        entries: list[Entry | Waiting] = []
        if _ENTRIES.issuperset(map(type, batch)):
            entries = cast("list[Entry | Waiting]", batch)
        else:
            for item in batch:
                if isinstance(item, _Flush) or item is None:
                    self._obey(item, entries)
                    entries = []
                else:
                    entries.append(item)
        self._write(entries, wait=False)

    def _obey(self, request: _Flush | None, entries: list[Entry | Waiting]) -> None:
        self._write(entries, wait=True)
        if request is None:
            self._ending = True
            return
        request.durable = self._pipeline.flush()
        request.done.set()

    def _write(self, entries: list[Entry | Waiting], *, wait: bool) -> None:
        if entries or len(self._held):
            ready: Sequence[Entry]
            if not len(self._held) and _PLAIN.issuperset(map(type, entries)):
                ready = cast("list[Entry]", entries)
            else:
                self._arrive()
                ready = self._held.through(entries, wait=wait)
            if ready:
                self._pipeline.write(ready)

    def _arrive(self) -> None:
        try:
            self._collect()
        except Exception as error:  # a device may raise anything, its memory may be gone
            self._faults.tell("device", error)


def _unread(faults: Faults, entry: Entry, error: Exception) -> None:
    faults.tell("device", error, f"step {entry.step}: values on a device were lost: {error}")
