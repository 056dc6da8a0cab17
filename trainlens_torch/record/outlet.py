"""One sink of a logger, with what it could not write yet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.sinks import Sink

__all__ = ["Outlet"]

_SOONEST, _LATEST = 0.5, 5.0
_BATCH = 4096
_left: list[Sink | None] = []


class Outlet:
    """Gives entries to a sink, and keeps them while it fails.

    A failing sink is tried again after 0.5 s, then less often, at least every 5 s. What it did
    not take waits, up to `limit` entries; beyond them new ones are dropped and counted. When it
    works again, one record more says what happened and how many are lost.

    Parameters
    ----------
    name : str
        Of the sink, for messages.
    make : callable
        Opens the sink; called in the thread that writes, again after it failed.
    limit : int
        Entries to keep.
    faults : Faults
    clock, ticks : callable
        Unix seconds, and seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Sink],
        limit: int,
        faults: Faults,
        clock: Callable[[], float],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.kept: deque[Entry] = deque()
        self.sink: Sink | None = None
        self._make = make
        self._limit = limit
        self._faults = faults
        self._clock, self._ticks = clock, ticks
        self._lost = 0
        self._late = 0
        self._because: Exception | None = None
        self._next_try = 0.0
        self._pause = _SOONEST
        self._last_step = 0
        self._dirty = False

    @property
    def due(self) -> bool:
        """Whether there is something to do that did not fail a moment ago."""
        if self._because is None:
            return self._dirty
        return self._ticks() >= self._next_try

    def open(self) -> bool:
        """Open the sink where it is not open; whether it is."""
        if self.sink is None:
            try:
                self.sink = self._make()
            except Exception as error:  # a library behind a sink may raise anything
                self._failed(error)
        return self.sink is not None

    def write(self, entries: Sequence[Entry], *, now: bool = False) -> None:
        """Write entries behind those that wait; keep them where that fails.

        Parameters
        ----------
        entries : sequence
        now : bool
            Whether to try although the last attempt failed a moment ago.
        """
        self._keep(entries)
        if self._because is not None and not now and not self.due:
            return
        if not self.open():
            return
        while self.kept and self._give(list(islice(self.kept, _BATCH))):
            pass
        if self._because is not None and not self.kept:
            self._recovered()

    def flush(self) -> bool:
        """Make durable what was written; whether all entries are."""
        if self.kept or self._because is not None:
            self.write((), now=True)
        if self._dirty and self.sink is not None:
            try:
                self.sink.flush()
                self._dirty, self._pause = False, _SOONEST
            except Exception as error:  # a library behind a sink may raise anything
                self._failed(error)
        return not self.kept and not self._dirty

    def close(self) -> None:
        """Try what waits for a last time, count what stays, end the sink."""
        self.flush()
        self._faults.drop(len(self.kept))
        if self.kept:
            self._tell(OSError(f"{len(self.kept)} records could not be written"), "close")
        self.kept.clear()
        if self.sink is None:
            return
        try:
            self.sink.close()
        except Exception as error:  # a library behind a sink may raise anything
            self._failed(error)
        self.sink = None

    def abandon(self) -> None:
        """Leave the sink to the process that this one was forked from."""
        let_go = getattr(self.sink, "abandon", None)
        if let_go is not None:
            let_go()
        else:
            _left.append(self.sink)  # its end would end what the other process writes
        self.sink = None

    def _keep(self, entries: Sequence[Entry]) -> None:
        room = self._limit - len(self.kept)
        if len(entries) <= room or self._because is None:
            self.kept.extend(entries)
            return
        self.kept.extend(entries[: max(room, 0)])
        over = len(entries) - max(room, 0)
        self._lost += over
        self._faults.drop(over)

    def _give(self, batch: list[Entry]) -> bool:
        assert self.sink is not None
        try:
            self.sink.write(batch)
        except Exception as error:  # a library behind a sink may raise anything
            self._not_written(batch, error)
            return bool(getattr(error, "again", False))
        self._dirty = True
        self._taken(len(batch))
        return True

    def _not_written(self, batch: list[Entry], error: Exception) -> None:
        """Entries that a sink does not account for are lost; those that it names wait."""
        written = getattr(error, "written", None)
        self._taken(len(batch) if written is None else written)
        if written is None:
            self._lost += len(batch)
            self._faults.drop(len(batch))
        self._dirty = self._dirty or bool(written)
        self._failed(error)

    def _taken(self, count: int) -> None:
        if count:
            self._last_step = self.kept[count - 1].step
        if count == len(self.kept):
            self.kept.clear()
        for _ in range(min(count, len(self.kept))):
            self.kept.popleft()
        self._late += count if self._because is not None else 0

    def _failed(self, error: Exception) -> None:
        self._because = error
        self._next_try = self._ticks() + self._pause
        self._pause = min(2 * self._pause, _LATEST)
        self._tell(error, type(error).__name__)

    def _tell(self, error: Exception, kind: str) -> None:
        self._faults.tell(f"{self.name}:{kind}", error, f"{self.name}: {error}")

    def _recovered(self) -> None:
        """Write the record that tells of the fault; it is owed until it is written."""
        assert self.sink is not None
        message = (
            f"{self.name}: {self._because}; {self._late} records were written late,"
            f" {self._lost} are lost"
        )
        anomaly = {"type": "log_fault", "value": float(self._lost), "message": message}
        told = Entry(self._last_step, self._clock(), {}, {}, anomalies=(anomaly,))
        try:
            self.sink.write([told])
        except Exception as error:  # a library behind a sink may raise anything
            self._failed(error)
            return
        self._because, self._lost, self._late, self._dirty = None, 0, 0, True
