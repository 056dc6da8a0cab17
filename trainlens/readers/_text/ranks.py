"""Several processes that write into one log."""

from __future__ import annotations

from trainlens.readers._text.line import Line
from trainlens.readers._text.place import Place

_MOST = 4096


class Ranks:
    """Keeps the processes of a log apart: each has its place, and each metric one that counts.

    The first process that tells a metric is the one it is read of: values of the others stand
    for the same step and would look like jumps.
    """

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._leader: dict[tuple[str, str | None], str] = {}
        self.left_out = 0
        self.told = ""

    def place(self, rank: str) -> Place:
        """Where the training of a process stands."""
        place = self._places.get(rank)
        if place is None:
            place = Place()
            if len(self._places) < _MOST:
                self._places[rank] = place
        return place

    def keep(self, line: Line) -> None:
        """Leave out of a line what is read of another process."""
        if not line.rank:
            return
        kept = [
            pair
            for pair in line.pairs
            if self._leader.setdefault((pair.name, pair.split or line.split), line.rank)
            == line.rank
        ]
        if len(kept) < len(line.pairs):
            self.left_out += len(line.pairs) - len(kept)
            leaders = sorted(set(self._leader.values()))
            self.told = ", ".join(leaders[:4])
            line.pairs = kept
