"""Grouping what went wrong while reading into few notices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainlens.chunk import Notice
from trainlens.words import plural

MOST = 100
"""Notices of one file; what comes after them is summed up in one more."""


@dataclass(frozen=True)
class _Stretch:
    kind: str
    what: str
    start: int
    end: int
    items: int
    lost: int | None


class Damage:
    """Collects byte ranges; neighbours of the same kind become one notice.

    Parameters
    ----------
    name : str
        File name to show.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Stretch] = []
        self._told = 0
        self._rest: _Stretch | None = None

    def add(self, kind: str, what: str, start: int, end: int, lost: int | None) -> None:
        """Note that the bytes from `start` to `end` hold `what`; `lost` as in `Notice`."""
        new = _Stretch(kind, what, start, end, 1, lost)
        last = self._open[-1] if self._open else None
        if last and (last.kind, last.what) == (kind, what) and start - last.end <= 2:
            self._open[-1] = _merged(last, new)
        elif self._told + len(self._open) < MOST:
            self._open.append(new)
        else:
            self._rest = _merged(self._rest, new) if self._rest else new

    def take(self, final: bool) -> tuple[Notice, ...]:
        """The notices since the last call; with `final`, the sum of those beyond `MOST`."""
        found = tuple(self._notice(s) for s in self._open)
        self._told += len(found)
        self._open = []
        if final and self._rest:
            rest = replace(self._rest, what="further damage of this kind, in many places")
            found += (self._notice(rest),)
            self._rest = None
        return found

    def _notice(self, stretch: _Stretch) -> Notice:
        count = f"{plural(stretch.items, 'line')}: " if stretch.items > 1 else ""
        where = f"{self._name}, bytes {stretch.start}-{stretch.end}"
        return Notice(stretch.kind, where, count + stretch.what, stretch.lost)


def _merged(a: _Stretch, b: _Stretch) -> _Stretch:
    lost = None if a.lost is None or b.lost is None else a.lost + b.lost
    kind = "corrupt" if "corrupt" in (a.kind, b.kind) else a.kind
    return replace(a, kind=kind, end=b.end, items=a.items + b.items, lost=lost)
