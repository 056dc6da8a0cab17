"""Lines by which a training says that something went wrong: errors, tracebacks, lost steps."""

from __future__ import annotations

import re
from pathlib import Path

_TRACE = "Traceback (most recent call last)"
_LAST = re.compile(r"[A-Za-z_][\w.]{0,200}(?::\s.*|\s*$)")
"""The last line of a traceback: ``RuntimeError: why``, ``KeyboardInterrupt``."""

_IGNORED = re.compile(r"Exception ignored in\b")
_LONGEST_TRACE = 2000

_FAULT = re.compile(
    r"out of memory|OutOfMemoryError|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED|std::bad_alloc"
    r"|can't allocate memory|\boom[- _]?kill"
    r"|\bNCCL error|\bnccl(?:System|UnhandledCuda|Internal|Remote)Error|CUDA error:"
    r"|\bloss\b.{0,20}\b(?:nan|-?inf(?:inity)?)\b.{0,20}\b(?:stop|abort)"
    r"|non-?finite loss|(?:^|\s)Killed(?:\s*$|\s\s)|^Segmentation fault|^Bus error"
    r"|CANCELLED AT .{0,60}DUE TO",
    re.IGNORECASE,
)
_OVERFLOW = re.compile(
    r"gradient overflow\b.{0,40}(?:skip|ignor)|\bOVERFLOW! .{0,40}Skipping step", re.IGNORECASE
)
OVERFLOW = "anomalies/gradient_overflow"
"""Name of the series of steps that a loss scaler skipped."""


def _may_tell(text: str) -> bool:
    """Whether a line in lower case holds a word without which it tells nothing: few do."""
    # A chain of `in` takes a fifth of the time of one search, a third of that of a loop.
    return (
        "traceback" in text or "memory" in text or "alloc" in text or "exhausted" in text
        or "oom" in text or "nccl" in text or "cuda error" in text or "stop" in text
        or "abort" in text or "finite loss" in text or "killed" in text
        or "segmentation" in text or "bus error" in text or "cancelled at" in text
        or "overflow" in text or "ignored in" in text
    )  # fmt: skip


class Faults:
    """Reads lines one by one; a traceback is told of when its last line is there.

    Attributes
    ----------
    overflow : bool
        Whether the last line told of a step that a loss scaler skipped.
    used : bool
        Whether it belongs to a traceback or tells of such a step, and is about nothing else.
    """

    def __init__(self) -> None:
        self.overflow = self.used = False
        self._before: str | None = None
        self._lines = 0
        self._ignored = False

    def read(self, text: str) -> str:
        """What a line says of a fault, empty for nothing.

        Parameters
        ----------
        text : str
            A line of what `decode` gives.
        """
        self.overflow = self.used = False
        if self._before is not None:
            return self._within(text)
        if not _may_tell(text.lower()):
            return ""
        at = text.find(_TRACE)
        if at >= 0:
            # What stands before it, the rank of a process, stands before all of its lines.
            self._before, self._lines, self.used = text[:at], 0, True
            return ""
        if _IGNORED.search(text):
            self._ignored = True
            return ""
        self.overflow = self.used = _OVERFLOW.search(text) is not None
        return text.strip() if self.overflow or _FAULT.search(text) else ""

    @property
    def open(self) -> bool:
        """Whether a traceback goes on."""
        return self._before is not None

    def finish(self) -> str:
        """What a traceback says that has no last line."""
        return self._end("") if self._before is not None else ""

    def _within(self, text: str) -> str:
        before, self._lines = self._before or "", self._lines + 1
        rest = text.removeprefix(before)
        if self._lines > _LONGEST_TRACE:
            return self._end("")
        if before and rest == text:
            return ""  # of another process
        if not rest.strip() or rest[0] in " \t" or _TRACE in rest:
            self.used = True
            return ""
        self.used = _LAST.match(rest) is not None
        return self._end(rest.strip() if self.used else "")

    def _end(self, last: str) -> str:
        self._before, ignored, self._ignored = None, self._ignored, False
        return "" if ignored else last or f"{_TRACE}, without its last line"


class LineNumbers:
    """Counts the lines before a place, when asked: few logs hold a fault, and few faults.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = self._lines = 0

    def place(self, begin: int, end: int) -> str:
        """The line of some bytes, as a `Notice` names it; the bytes where it cannot be told."""
        if begin < self._at:
            self._at = self._lines = 0
        try:
            with open(self._path, "rb") as file:
                file.seek(self._at)
                while self._at < begin and (data := file.read(min(1 << 20, begin - self._at))):
                    self._lines += data.count(b"\n")
                    self._at += len(data)
        except OSError:
            return f"bytes {begin}-{end}"
        return f"line {self._lines + 1}" if self._at == begin else f"bytes {begin}-{end}"


def crashed(texts: list[str]) -> bool:
    """Whether some lines hold a traceback or an error that ends a training."""
    faults = Faults()
    return any(faults.read(t) and not faults.overflow for t in texts) or bool(faults.finish())
