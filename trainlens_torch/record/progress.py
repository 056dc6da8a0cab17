"""One line on the terminal that says how far a training is."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from trainlens_torch.record.entry import Entry
from trainlens_torch.record.sinks import Sink, Target
from trainlens_torch.record.text import line

__all__ = ["ProgressSink", "make"]

_CLEAR = "\r\x1b[K"
_PAUSE = 0.1


def make(target: Target, stream: TextIO | None = None) -> Sink:
    """A progress line on `stream`, standard error by default; silent for ranks above 0."""
    return ProgressSink(target, sys.stderr if stream is None else stream)


class ProgressSink:
    """Draws the newest training entry in place, ten times a second at most.

    It draws nothing where `stream` is no terminal, in a dumb one, or for ranks above 0. Each
    drawing is one write, cut to the width of the terminal; the last one stays.

    Parameters
    ----------
    target : Target
        Its `total`, where known, gives a share and the time that is left.
    stream : text file
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self, target: Target, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = target.total
        self._stream = stream
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self._drawn = float("-inf")
        self._waiting: Entry | None = None
        self._used = False
        self._on = not target.rank and _is_terminal(stream)

    def write(self, entries: Sequence[Entry]) -> None:
        """Draw the newest entry of the training, if the last drawing is old enough.

        Raises
        ------
        OSError
            The terminal is gone.
        """
        newest = next((e for e in reversed(entries) if e.split == "train"), None)
        if not self._on or newest is None:
            return
        now = self._clock()
        if self._first is None or newest.step < self._first[1]:
            self._first = (now, newest.step)
        self._waiting = newest
        if now - self._drawn >= _PAUSE:
            self._draw(now)

    def flush(self) -> None:
        """Draw what waits."""
        if self._waiting is not None:
            self._draw(self._clock())

    def close(self) -> None:
        """Draw what waits and go to the next line."""
        if not self._on:
            return
        self.flush()
        self._on = False
        if self._used:
            self._put("\n")

    def _draw(self, now: float) -> None:
        entry, self._waiting, self._drawn = self._waiting, None, now
        if entry is not None:
            # One column stays free: a full line would scroll some terminals.
            width = max(1, shutil.get_terminal_size().columns - 1)
            self._used = True
            self._put(_CLEAR + self._words(entry, now)[:width])

    def _words(self, entry: Entry, now: float) -> str:
        assert self._first is not None
        begun, step = self._first
        text = line(entry, self._total).rstrip("\n")
        rate = (entry.step - step) / (now - begun) if now > begun else 0.0
        share = f"{min(1.0, entry.step / self._total):4.0%} " if self._total else ""
        if not rate:
            return share + text
        left = (self._total - entry.step) / rate if self._total else -1.0
        until = f", {_duration(left)} left" if left >= 0 else ""
        return f"{share}[{rate:.3g}/s{until}] {text}"

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except ValueError as error:  # a closed stream
            self._on = False
            raise OSError(f"the terminal is gone: {error}") from error


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM", "") != "dumb"
    except (ValueError, AttributeError):
        return False


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
