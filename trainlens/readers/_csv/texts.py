"""The texts in a column of numbers, made only when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints


class Texts(Mapping[int, str]):
    """What stands in some of n cells, by the number of the cell.

    Parameters
    ----------
    data : bytes
        What the texts are part of.
    at : ndarray of int64, shape (m,)
        The cells, ascending.
    start, end : ndarray of int64, shape (m,)
        Where in `data` each text stands.
    moment : ndarray of float64, shape (m,)
        Unix seconds of the texts that are dates beyond doubt, NaN for the others.
    """

    def __init__(self, data: bytes, at: Ints, start: Ints, end: Ints, moment: Floats) -> None:
        self._data = data
        self.at = at
        self._start = start
        self._end = end
        self.moment = moment

    def __len__(self) -> int:
        return len(self.at)

    def __iter__(self) -> Iterator[int]:
        return iter(self.held)

    def __getitem__(self, cell: int) -> str:
        return self.held[cell]

    def between(self, begin: int, end: int) -> Texts:
        """The texts of the cells from `begin` to before `end`, which are counted from there on."""
        low, high = np.searchsorted(self.at, [begin, end]).tolist()
        return self._part(slice(low, high), self.at[low:high] - begin)

    def take(self, index: NDArray[np.intp]) -> Texts:
        """The texts of the cells at `index`."""
        if not len(self.at):
            return self
        place = np.minimum(np.searchsorted(self.at, index), len(self.at) - 1)
        here = np.flatnonzero(self.at[place] == index)
        return self._part(place[here], here)

    def others(self) -> dict[int, str]:
        """The texts that are no dates."""
        if not np.isnan(self.moment).any():
            return {}
        return self._part(np.isnan(self.moment), self.at[np.isnan(self.moment)]).held

    def _part(self, which: slice | NDArray[np.intp] | NDArray[np.bool_], at: Ints) -> Texts:
        start, end = self._start[which], self._end[which]
        return Texts(self._data, at, start, end, self.moment[which])

    @cached_property
    def held(self) -> dict[int, str]:
        """The same as a plain dictionary."""
        places = zip(self._start.tolist(), self._end.tolist(), strict=True)
        if self._data.isascii():
            text = self._data.decode("ascii")
            held = [text[a:b] for a, b in places]
        else:
            held = [self._data[a:b].decode("utf-8", "replace") for a, b in places]
        return dict(zip(self.at.tolist(), held, strict=True))
