"""Work in the process that asks for it, one item after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from trainlens.engine.base import Lost

T = TypeVar("T")
R = TypeVar("R")


class Here:
    """The engine that is always there."""

    def __init__(self) -> None:
        self.workers = 1
        self.notes: list[str] = []

    def run(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R | Lost]:
        """Each item when its result is asked for."""
        return map(work, items)

    def close(self) -> None:
        """Nothing is held."""
