"""Cells as the compiled scanner gives them: an array of numbers, and the few that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats
from trainlens.readers._json.rows import Cells, Index, Numbers
from trainlens.readers._values import number

_WORDS: tuple[Any, ...] = (None, True, False, [])
"""What the first codes of odd cells stand for; of a list only that it is one matters."""

_TRUE, _FALSE, _LIST, _TEXT = 1, 2, 3, 4
_NONE = np.empty(0, np.uint32)
Codes = NDArray[np.uint32]


class Scanned(Cells):
    """The cells of one name in a batch of records.

    Parameters
    ----------
    index : ndarray of intp, shape (n,)
        Numbers of the records, ascending.
    value : ndarray of float64, shape (n,)
        0 where a cell is no number.
    odd, code : ndarray of uint32, shape (m,)
        Places of the cells that are no numbers, ascending, and what they are.
    texts : sequence of str or list
        The texts of the batch, and the lists that are kept (`reported.LISTS`).
    """

    def __init__(
        self,
        index: Index,
        value: Floats,
        odd: Codes = _NONE,
        code: Codes = _NONE,
        texts: Sequence[str | list[Any]] = (),
    ) -> None:
        super().__init__()
        self._index, self._value = index, value
        self._odd, self._code, self._texts = odd, code, texts
        if len(odd) < len(index):
            self.types.add(float)
        if len(odd):
            kinds = np.unique(np.minimum(code, _TEXT)).tolist()
            self.types |= {str if k == _TEXT else type(_WORDS[k]) for k in kinds}

    @property
    def first(self) -> int:
        """Number of the first record that has this name."""
        return int(self._index[0])

    @property
    def index(self) -> Index:
        """Numbers of the records, ascending."""
        return self._index

    def plain(self) -> Floats | None:
        """The values as an array, None where not all are numbers."""
        return None if len(self._odd) else self._value

    def in_order(self) -> tuple[Index, Sequence[Any]]:
        """Numbers of the records, ascending, and the values."""
        values: list[Any] = self._value.tolist()
        for place, code in zip(self._odd.tolist(), self._code.tolist(), strict=True):
            values[place] = _WORDS[code] if code < _TEXT else self._texts[code - _TEXT]
        return self._index, values

    def lists(
        self, wanted: Callable[[list[Any]], bool]
    ) -> tuple[list[tuple[int, list[Any]]], Cells | None]:
        """As of all cells; of a name whose lists are kept."""
        texts = {code: self._texts[code - _TEXT] for code in self._codes()}
        held = {code: v for code, v in texts.items() if isinstance(v, list) and wanted(v)}
        full = np.isin(self._code, list(held)) if held else np.zeros(len(self._code), bool)
        keep = np.ones(len(self._index), bool)
        keep[self._odd[full | (self._code == _LIST)]] = False
        pairs = [
            (int(self._index[self._odd[place]]), held[int(self._code[place])])
            for place in np.flatnonzero(full).tolist()
        ]
        return pairs, self if keep.all() else self.only(keep) if keep.any() else None

    def _codes(self) -> list[int]:
        """The different texts, and lists that are kept."""
        codes: list[int] = np.unique(self._code[self._code >= _TEXT]).tolist()
        return codes

    def said(self, tells: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
        """Numbers of the records, ascending, and the texts that tell something."""
        held = {code: self._texts[code - _TEXT] for code in self._codes()}
        told = {code: text for code, text in held.items() if isinstance(text, str) and tells(text)}
        for place in np.flatnonzero(np.isin(self._code, list(told))).tolist() if told else ():
            yield int(self._index[self._odd[place]]), told[int(self._code[place])]

    def only(self, keep: NDArray[np.bool_]) -> Cells:
        """The values, in order, for which `keep` holds."""
        if len(self._odd):
            return super().only(keep)
        return Scanned(self._index[keep], self._value[keep])

    def numbers(self) -> Numbers:
        """Numbers among the cells; see `rows.numbers`."""
        if not len(self._odd):
            return Numbers(self._index, self._value, None, "")
        found, other = self._odd_numbers()
        value = self._value.copy()
        value[self._odd] = found[0]
        keep = np.ones(len(value), bool)
        keep[self._odd] = found[1]
        boolean = None
        if bool in self.types:
            boolean = np.zeros(len(value), bool)
            boolean[self._odd] = (self._code == _TRUE) | (self._code == _FALSE)
            boolean = boolean[keep]
        return Numbers(self._index[keep], value[keep], boolean, other)

    def _odd_numbers(self) -> tuple[tuple[Floats, NDArray[np.bool_]], str]:
        """Values of the odd cells, which of them are numbers, and what the first other one is."""
        code = self._code
        value = (code == _TRUE).astype(np.float64)
        good = (code == _TRUE) | (code == _FALSE)
        places = np.flatnonzero(code >= _TEXT)
        if len(places):
            ids, which = np.unique(code[places], return_inverse=True)
            parsed = [number(self._texts[k - _TEXT]) for k in ids.tolist()]
            value[places] = np.array([0.0 if v is None else v for v in parsed])[which]
            good[places] = np.array([v is not None for v in parsed], bool)[which]
        others = np.flatnonzero(~good & (code >= _LIST))
        if not len(others):
            return (value, good), ""
        return (value, good), "text" if self._is_text(code[others[0]]) else "list"

    def _is_text(self, code: int) -> bool:
        return code >= _TEXT and isinstance(self._texts[code - _TEXT], str)
