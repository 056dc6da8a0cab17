"""Small records that are held by the ten thousand and come from other processes."""

from __future__ import annotations

from typing import Any


class Compact:
    """A dataclass with slots that is pickled as a call of itself.

    What `dataclasses` makes of frozen classes with slots looks every field up by its name, which
    takes longer than all the rest of moving a run's results to another process.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        names: tuple[str, ...] = self.__slots__
        return type(self), tuple([getattr(self, name) for name in names])
