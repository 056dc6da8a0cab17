"""Entries whose values lie on a device, until they have arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from trainlens_torch.record.entry import Entry

__all__ = ["Held", "Kept", "Later", "Waiting"]


class Later(Protocol):
    """Values of one entry that are on their way from a device."""

    def take(self, wait: bool) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
        """Losses and stats; None while they are not there, unless it may `wait`."""


class Kept:
    """Copies that stay on the device until the writer thread reads them.

    Parameters
    ----------
    losses, stats : mapping of str to Tensor of one element
    """

    def __init__(self, losses: Mapping[str, Any], stats: Mapping[str, Any]) -> None:
        # A copy: what a loop adds to in place, or a CUDA graph writes anew, is not this value.
        self._losses = {name: value.detach().clone() for name, value in losses.items()}
        self._stats = {name: value.detach().clone() for name, value in stats.items()}

    def take(self, wait: bool) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Both, now: the thread that writes may wait for the device."""
        return (
            {name: float(value.item()) for name, value in self._losses.items()},
            {name: float(value.item()) for name, value in self._stats.items()},
        )


@dataclass(frozen=True)
class Waiting:
    """An entry and the values that it lacks."""

    entry: Entry
    later: Later

    @property
    def step(self) -> int:
        """Of the entry."""
        return self.entry.step

    def complete(self, wait: bool) -> Entry | None:
        """The entry with all of its values, once they are there."""
        found = self.later.take(wait)
        if found is None:
            return None
        losses, stats = found
        entry = self.entry
        return entry._replace(losses={**entry.losses, **losses}, stats={**entry.stats, **stats})


class Held:
    """Keeps the order within each split: what is not there yet holds back what came after it.

    Parameters
    ----------
    failed : callable
        Called with an entry whose values could not be read, and why; that entry goes on without
        them.
    """

    def __init__(self, failed: Callable[[Entry, Exception], None]) -> None:
        self._splits: dict[str, deque[Entry | Waiting]] = {}
        self._failed = failed

    def __len__(self) -> int:
        return sum(map(len, self._splits.values()))

    def through(self, items: Iterable[Entry | Waiting], *, wait: bool = False) -> list[Entry]:
        """What can be written now, of what is held and of these behind it."""
        done: list[Entry] = []
        for split in list(self._splits):
            done += self._released(split, wait)
        for item in items:
            split = (item if isinstance(item, Entry) else item.entry).split
            if isinstance(item, Entry) and split not in self._splits:
                done.append(item)
                continue
            self._splits.setdefault(split, deque()).append(item)
            done += self._released(split, wait)
        return done

    def _released(self, split: str, wait: bool) -> list[Entry]:
        queue = self._splits[split]
        done: list[Entry] = []
        while queue:
            found = self._complete(queue[0], wait)
            if found is None:
                return done
            queue.popleft()
            done.append(found)
        del self._splits[split]
        return done

    def _complete(self, item: Entry | Waiting, wait: bool) -> Entry | None:
        if isinstance(item, Entry):
            return item
        try:
            return item.complete(wait)
        except Exception as error:  # a device may raise anything, its memory may be gone
            self._failed(item.entry, error)
            return item.entry
