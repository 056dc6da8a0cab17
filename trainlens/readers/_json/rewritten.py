"""Arrays that are written anew as they grow, as Chainer's LogReport does: only what is new."""

from __future__ import annotations

from collections.abc import Sequence

from trainlens.readers._json.decode import Object


class Rewritten:
    """Remembers the records of an array, to know them again in its next version."""

    def __init__(self) -> None:
        self._known: list[int] = []
        self._at = 0

    def again(self) -> None:
        """The file is read from its beginning once more."""
        self._at = 0

    def forget(self) -> None:
        """What comes is another array."""
        self._known, self._at = [], 0

    @property
    def missing(self) -> int:
        """Records that the array had and, as far as it was read, has no longer."""
        return len(self._known) - self._at

    def cut(self) -> None:
        """What is missing has gone."""
        del self._known[self._at :]

    def new(self, rows: Sequence[Object]) -> tuple[Sequence[Object], bool]:
        """The records that were not there before.

        Parameters
        ----------
        rows : sequence of dict
            The next records of the file.

        Returns
        -------
        rows : sequence of dict
        other : bool
            The first of them stands where another record stood: the array is another one.
        """
        marks = list(map(_mark, rows))
        held = self._known[self._at : self._at + len(rows)]
        same = next((i for i, (a, b) in enumerate(zip(held, marks, strict=False)) if a != b), None)
        if same is None:
            self._at += len(rows)
            self._known += marks[len(held) :]
            return rows[len(held) :], False
        self._known[self._at + same :] = marks[same:]
        self._at += len(rows)
        return rows[same:], True


def _mark(row: Object) -> int:
    try:
        return hash(repr(row))
    except RecursionError:
        return hash(tuple(row))
