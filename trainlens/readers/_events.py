"""What a training itself said went wrong: one notice a text, with its first place and a count."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from trainlens.chunk import Notice
from trainlens.words import plural
from trainlens.words import step as shown

KIND = "event"
MOST = 20
"""Different texts of one file; what comes after them is only counted."""

LONGEST = 200
"""Characters of a text that are shown."""

_DIGITS = re.compile(r"\d+")

FAULT = re.compile(
    r"out of memory|OutOfMemory|\boom\b|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED|bad_alloc"
    r"|\bnan\b|\binf\b|non-?finite|diverg|overflow|explod|nccl|\bkilled\b|segmentation fault"
    r"|preempt|crash|abort|exception|traceback|fail|error",
    re.IGNORECASE,
)
"""Words of a fault, in a text that may be about anything."""


@dataclass
class _Said:
    where: str
    text: str
    count: int = 0
    last: int | None = None
    told: int = 0


class Events:
    """Collects texts; those that differ only in their numbers become one notice.

    Parameters
    ----------
    name : str
        File name to show.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._said: dict[str, _Said] = {}
        self._more = 0

    def add(self, text: str, place: Callable[[], str], step: int | None = None) -> None:
        """Note what was said at a place (``"line 12"``, asked for if it is new) and step."""
        text = " ".join(text[: 4 * LONGEST].split())
        text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        key = _DIGITS.sub("0", text)
        held = self._said.get(key)
        if held is None:
            if len(self._said) >= MOST:
                self._more += 1
                return
            at = "" if step is None else f", step {step}"
            held = self._said[key] = _Said(f"{self._name}, {place()}{at}", text)
        held.count += 1
        held.last = step

    def take(self, final: bool) -> tuple[Notice, ...]:
        """The texts that are new since the last call; with `final`, all counts that grew."""
        found = []
        for held in self._said.values():
            if held.told == 0 or (final and held.count > held.told):
                found.append(Notice(KIND, held.where, held.text + _times(held)))
                held.told = held.count
        if final and self._more:
            what = f"{plural(self._more, 'more message')} of errors, of other texts"
            found.append(Notice(KIND, self._name, what))
            self._more = 0
        return tuple(found)


def _times(held: _Said) -> str:
    if held.count == 1:
        return ""
    last = "" if held.last is None else f", the last at step {shown(held.last)}"
    return f" ({plural(held.count, 'time')}{last})"
