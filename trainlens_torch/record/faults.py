"""Faults of a log: counted, told once, kept from the training."""

from __future__ import annotations

import logging
import threading

__all__ = ["Faults"]

_MANY = 100
_TOLD = logging.getLogger("trainlens")


class Faults:
    """What went wrong while recording.

    Told through `logging`, whose last resort is a line on stderr: `warnings` could raise, and a
    fault of the log is no fault of the training.

    Parameters
    ----------
    name : str
        Of the log, before every message.

    Attributes
    ----------
    errors : int
        Values, records and attempts to write that failed.
    dropped : int
        Records that were given up.
    latest : Exception or None
        For a logger that is strict.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors = 0
        self.dropped = 0
        self.latest: Exception | None = None
        self._told: set[str] = set()
        # Taken again by the same thread where a signal or the garbage collector comes between.
        self._lock = threading.RLock()

    def drop(self, records: int) -> None:
        """Count records that nobody will see."""
        with self._lock:
            self.dropped += records

    def tell(self, kind: str, error: Exception, message: str = "", count: int = 1) -> bool:
        """Count a fault; say it where it is the first of its kind.

        Parameters
        ----------
        kind : str
            Faults of one kind are told once; after 100 kinds no further ones are.
        error : Exception
        message : str
            Instead of that of the error.
        count : int

        Returns
        -------
        bool
            Whether it was told.
        """
        with self._lock:
            self.errors += count
            self.latest = error
            if kind in self._told or len(self._told) >= _MANY:
                return False
            self._told.add(kind)
        _TOLD.warning("%s: %s", self.name, message or error)
        return True
