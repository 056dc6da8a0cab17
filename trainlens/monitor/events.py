"""What the system says about files: that some came, went or grew.

Only a hint that looking pays now: where no such words come (network file systems, too many
folders, no watchdog installed) the rounds of the monitor find the same.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_BUSY = 200
"""So many words between two rounds, and growth is taken for certain, not asked for, as long as
each round finds some."""


class Events:
    """Listens for changes in and below some paths.

    Parameters
    ----------
    paths : sequence of str
        Local files or folders; of a file the folder around it is listened to.
    growth : bool
        Whether files that grow are worth a word, too.

    Attributes
    ----------
    stirred : bool
        Whether files came, went or were renamed since the last `take`.
    problem : str
        Why nothing is heard; else empty.
    """

    def __init__(self, paths: Sequence[str], *, growth: bool) -> None:
        self._paths, self._growth = paths, growth
        self._woken = threading.Event()
        self._certain = False
        self.stirred = False
        self._count = 0
        self._observer: BaseObserver | None = None
        self.problem = ""

    def start(self) -> None:
        """Begin to listen; `problem` says where that is not possible."""
        self._observer = self._listening()

    @property
    def woken(self) -> bool:
        """Whether there was a word since the last `take`, or growth is certain."""
        return self._certain or self._woken.is_set()

    def take(self, *, grew: bool = True) -> bool:
        """Whether files came, went or were renamed since the last call.

        Parameters
        ----------
        grew : bool
            Whether the last round found that a log had grown.
        """
        stirred, self.stirred = self.stirred, False
        certain = self._growth and (grew if self._certain else self._count > _BUSY)
        self._count = 0
        self._woken.clear()
        if certain != self._certain:
            self._certain = certain
            self.close()
            self.start()
        return stirred

    def close(self) -> None:
        """Listen no more."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join(5.0)

    def heard(self, kind: str) -> None:
        """Take a word of the system; `kind` as watchdog has it."""
        self._count += 1
        if kind != "modified":
            self.stirred = True
        self._woken.set()

    def _listening(self) -> BaseObserver | None:
        try:
            from watchdog.events import (
                DirCreatedEvent,
                DirDeletedEvent,
                DirMovedEvent,
                FileCreatedEvent,
                FileDeletedEvent,
                FileModifiedEvent,
                FileMovedEvent,
                FileSystemEvent,
                FileSystemEventHandler,
            )  # fmt: skip
            from watchdog.observers import Observer
        except ImportError:
            self.problem = "files are only looked at each round: watchdog is not installed"
            return None

        hear = self.heard

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                hear(event.event_type)

        wanted: list[type[FileSystemEvent]] = [
            DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileCreatedEvent, FileDeletedEvent,
            FileMovedEvent,
        ]  # fmt: skip
        if self._growth and not self._certain:
            wanted.append(FileModifiedEvent)
        observer = Observer()
        try:
            for folder, below in sorted(self._folders().items()):
                observer.schedule(Handler(), folder, recursive=below, event_filter=wanted)
            observer.start()
        except OSError as error:
            self.problem = f"files are only looked at each round: {error.strerror or error}"
            observer.unschedule_all()
            return None
        return observer

    def _folders(self) -> dict[str, bool]:
        """Folders to listen to, and whether to what lies below as well."""
        held: dict[str, bool] = {}
        for path in self._paths:
            whole = os.path.isdir(path)
            folder = os.path.abspath(path if whole else os.path.dirname(path) or ".")
            if os.path.isdir(folder):
                held[folder] = held.get(folder, False) or whole
        return held
