"""The losses at one learning rate, however many, in bounded room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "History"]

Floats = NDArray[np.float64]

_MOST = 1024


@dataclass
class History:
    """Losses since the rate was last changed, and the newest of them one by one.

    Beyond 1024 entries neighbours are merged into their means, and from then on each entry stands
    for twice as many losses.

    Parameters
    ----------
    recent : int
        Newest losses that are kept one by one.
    """

    recent: int
    _means: list[float] = field(default_factory=list)
    _part: list[float] = field(default_factory=list)
    _each: int = 1
    _last: list[float] = field(default_factory=list)
    count: int = 0

    def add(self, loss: float) -> None:
        """Take one finite loss."""
        self.count += 1
        self._last = [*self._last, loss][-self.recent :]
        self._part.append(loss)
        if len(self._part) == self._each:
            self._means.append(_mean(self._part))
            self._part = []
        if len(self._means) == _MOST:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [_mean([a, b]) for a, b in pairs]
            self._each *= 2

    @property
    def curve(self) -> Floats:
        """Means of equally many losses each, oldest first; shape (up to 1024,)."""
        return np.array(self._means, np.float64)

    @property
    def last(self) -> Floats:
        """The newest losses, shape (up to `recent`,)."""
        return np.array(self._last, np.float64)

    def values(self) -> dict[str, Any]:
        """State in plain values."""
        return {
            "means": list(self._means),
            "part": list(self._part),
            "each": self._each,
            "last": list(self._last),
            "count": self.count,
        }

    @classmethod
    def of(cls, recent: int, values: dict[str, Any]) -> History:
        """A history from what `values` gave."""
        lists = list(values["means"]), list(values["part"])
        return cls(recent, *lists, values["each"], list(values["last"]), values["count"])


def _mean(values: list[float]) -> float:
    return sum(value / len(values) for value in values)  # the sum of two of 1e308 is infinite
