"""Damage of a file that people open in an editor: told by its lines."""

from __future__ import annotations

from typing import NamedTuple

from trainlens.chunk import Notice
from trainlens.readers._damage import MOST, Damage, _merged, _Stretch
from trainlens.words import plural


class _What(NamedTuple):
    kind: str
    what: str
    lost: int | None


class LineDamage(Damage):
    """`Damage` whose places are numbers of lines, the first of which is 1.

    A file may consist of nothing else: neighbours are counted before they become a stretch.

    Parameters
    ----------
    name : str
        File name to show.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._what: _What | None = None
        self._first = self._last = self._items = 0

    def line(self, kind: str, what: str, number: int, lost: int | None = 1) -> None:
        """Note that a line holds `what`; `lost` as in `Notice`."""
        new = _What(kind, what, lost)
        if new == self._what and 0 <= number - self._last <= 2:
            self._last = number
            self._items += 1
            return
        self._settle()
        self._what, self._first, self._last, self._items = new, number, number, 1

    def take(self, final: bool) -> tuple[Notice, ...]:
        """The notices since the last call; with `final`, the sum of those beyond `MOST`."""
        self._settle()
        return super().take(final)

    def _settle(self) -> None:
        if self._what is None:
            return
        kind, what, lost = self._what
        total = None if lost is None else lost * self._items
        new = _Stretch(kind, what, self._first, self._last, self._items, total)
        if self._told + len(self._open) < MOST:
            self._open.append(new)
        else:
            self._rest = _merged(self._rest, new) if self._rest else new
        self._what = None

    def _notice(self, stretch: _Stretch) -> Notice:
        many = stretch.end > stretch.start
        place = f"lines {stretch.start}-{stretch.end}" if many else f"line {stretch.start}"
        count = f"{plural(stretch.items, 'time')}: " if stretch.items > 1 else ""
        return Notice(stretch.kind, f"{self._name}, {place}", count + stretch.what, stretch.lost)
