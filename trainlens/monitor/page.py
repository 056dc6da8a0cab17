"""The page of the monitor: that of a report, kept up to date in a file, at an address, or both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import trainlens
from trainlens.errors import OutputError
from trainlens.monitor.model import Update
from trainlens.reporting.digest import Digest

_SHARE = 20
_RETRY = 10.0


class Publisher(Protocol):
    """Whoever shows a page to others; see `trainlens.monitor.serving.Server`."""

    def publish(self, html: str, version: int) -> None:
        """Show this page from now on."""


class LivePage:
    """Makes the page anew where it would say something else, and not too often.

    Parameters
    ----------
    file : Path or None
        Written whole or not at all: who opens it never meets half a page.
    server : Server or None
        Started by whoever made it.
    title, command : str
        As in `trainlens.reporting.build`.
    clock : callable
        Seconds that never go back. After a page that took t seconds to make, the next waits 20 t.
    cost : callable
        Seconds of processor time that this thread used.
    again : bool
        Whether there are further rounds; in a single one `failure` alone tells what went wrong.

    Attributes
    ----------
    failure : OutputError or None
        Why the file could not be written, where it was tried in vain last.
    """

    def __init__(
        self,
        *,
        file: Path | None,
        server: Publisher | None,
        title: str,
        command: str,
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
        again: bool = True,
    ) -> None:
        self._again = again
        self._file, self._server = file, server
        self._title, self._command = title, command
        self._clock, self._cost = clock, cost
        self._made: tuple[Digest, ...] | None = None
        self._version = 0
        self._next = float("-inf")
        self._unwritten: str | None = None
        self._retry = float("-inf")
        self._said = ""
        self.failure: OutputError | None = None

    def update(
        self, digests: Sequence[Digest], update: Update, *, force: bool = False
    ) -> tuple[str, ...]:
        """Bring the page up to date.

        Parameters
        ----------
        digests : sequence of Digest
            Of all runs, as they were last judged. The same object says the same thing.
        update : Update
            Of this round; its time is the page's.
        force : bool
            Make it now if anything changed, whatever it costs: a finding opened, or this is the
            last round.

        Returns
        -------
        tuple of str
            Why the file could not be written: said once until it can be again. The page that was
            there stays, and writing is tried again later.
        """
        now = self._clock()
        if self._stale(digests) and (force or now >= self._next):
            self._make(digests, update.at)
        elif self._unwritten is None or not (force or now >= self._retry):
            return ()
        return self._write()

    def _stale(self, digests: Sequence[Digest]) -> bool:
        made = self._made
        return (
            made is None
            or len(made) != len(digests)
            or any(old is not new for old, new in zip(made, digests, strict=True))
        )

    def _make(self, digests: Sequence[Digest], at: float) -> None:
        from trainlens.render.html import page
        from trainlens.reporting import build

        begun = self._cost()
        report = build(
            digests,
            title=self._title,
            command=self._command,
            now=at,
            version=trainlens.__version__,
        )
        if self._file is not None:
            self._unwritten = page(report)
        if self._server is not None:
            self._version += 1
            self._server.publish(page(report, live=True), self._version)
        self._made = tuple(digests)
        self._next = self._clock() + _SHARE * (self._cost() - begun)

    def _write(self) -> tuple[str, ...]:
        from trainlens.render import write_text

        if self._file is None or self._unwritten is None:
            return ()
        try:
            write_text(self._file, self._unwritten)
        except OutputError as error:
            self._retry = self._clock() + _RETRY
            remedy = "check its folder, or choose another file with --html"
            self.failure = OutputError(error.path, error.problem, remedy)
            if not self._again:
                return ()
            # The advice of the error is for a command that ends there; this one goes on.
            said = f"{error.path}: {error.problem}; trying again"
            told = () if said == self._said else (said,)
            self._said = said
            return told
        self._unwritten, self._said, self.failure = None, "", None
        return ()
