"""The way of an entry from the logger to its sinks, in the thread that owns them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.outlet import Outlet

__all__ = ["Pipeline", "Watching"]


class Watching(Protocol):
    """Judges entries while they are recorded; see `trainlens_torch.record.watching`."""

    def see(self, entry: Entry) -> Iterable[Any]:
        """Anomalies of this entry, as `trainlens.schema` has them."""


class Pipeline:
    """Detectors, then every sink.

    Parameters
    ----------
    outlets : sequence of Outlet
    watchers : sequence of Watching
    faults : Faults
    last : callable, optional
        Asked at the end, when all that was logged is written, with the time of the first entry;
        the entry that it gives is the last one.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        watchers: Sequence[Watching],
        faults: Faults,
        last: Callable[[float], Entry | None] | None = None,
    ) -> None:
        self.outlets = list(outlets)
        self._watchers = list(watchers)
        self._faults = faults
        self._last = last
        self._began: float | None = None

    @property
    def waiting(self) -> int:
        """Entries that some sink has not taken yet."""
        return max((len(outlet.kept) for outlet in self.outlets), default=0)

    def open(self) -> None:
        """Open every sink; those that fail are tried again with the first entries."""
        for outlet in self.outlets:
            outlet.open()

    def write(self, entries: Sequence[Entry], *, now: bool = False) -> None:
        """Give entries to every sink; `now` tries also those that failed a moment ago."""
        if self._began is None and entries:
            self._began = entries[0].time
        if self._watchers:
            entries = [self._seen(entry) for entry in entries]
        for outlet in self.outlets:
            outlet.write(entries, now=now)

    def flush(self, *, now: bool = True) -> bool:
        """Make durable what was written; whether all of it is. Without `now` failing ones rest."""
        return all([outlet.flush() for outlet in self.outlets if now or outlet.due])

    def close(self) -> None:
        """End every sink."""
        if self._last is not None and self._began is not None:
            self._say_last(self._last, self._began)
        for outlet in self.outlets:
            outlet.close()

    def _say_last(self, last: Callable[[float], Entry | None], began: float) -> None:
        self.flush()
        try:
            entry = last(began)
        except Exception as error:  # files of other processes may hold anything
            self._faults.tell("last", error)
        else:
            self.write([entry] if entry else [], now=True)

    def _seen(self, entry: Entry) -> Entry:
        found: list[Any] = []
        for watcher in self._watchers:
            try:
                found += watcher.see(entry)
            except Exception as error:  # a callback of the user may raise anything
                self._faults.tell("watcher", error, f"a watcher failed: {error!r}")
        return entry._replace(anomalies=(*entry.anomalies, *found)) if found else entry
