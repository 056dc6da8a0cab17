"""What was dropped because the queue was full, and the record that says so."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.held import Waiting

__all__ = ["Hole"]


class Hole:
    """A gap in the entries of a queue.

    It opens with the first entry that finds the queue full and ends when a tenth of the queue is
    free again, so that a slow disk makes one gap of many entries and not many of one.

    Parameters
    ----------
    limit : int
    queue : deque
        Where the record of the gap goes when it ends, before the entry behind it.
    faults : Faults
    clock : callable
        Unix seconds.
    """

    def __init__(
        self, limit: int, queue: deque[Any], faults: Faults, clock: Callable[[], float]
    ) -> None:
        self.open = False
        self._limit = limit
        self._again = limit - max(1, limit // 10)
        self._queue = queue
        self._faults = faults
        self._clock = clock
        self._count = 0
        self._steps = (0, 0)
        self._lock = threading.RLock()

    def add(self, item: Entry | Waiting) -> None:
        """Drop an entry, or queue it where there is room again."""
        with self._lock:
            if len(self._queue) > (self._again if self.open else self._limit - 1):
                self._drop(item.step)
                return
            self.close()
            self._queue.append(item)

    def close(self) -> None:
        """End the gap, if there is one: what comes now is behind it."""
        if not self.open:
            return
        with self._lock:
            first, last = self._steps
            message = (
                f"{self._count} records from step {first} to {last} were dropped: what writes them"
                " did not keep up"
            )
            anomaly = {"type": "records_dropped", "value": float(self._count), "message": message}
            self._queue.append(Entry(last, self._clock(), {}, {}, anomalies=(anomaly,)))
            self._count, self.open = 0, False

    def _drop(self, step: int) -> None:
        first = self._steps[0] if self.open else step
        self.open = True
        self._count += 1
        self._steps = (first, step)
        self._faults.drop(1)
        full = OSError(f"{self._limit} records wait to be written: new ones are dropped")
        self._faults.tell("full", full, count=0)
