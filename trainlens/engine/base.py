"""What an engine is: something that does one kind of work on many items, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Lost:
    """In place of a result: whoever worked on this item was lost with it, twice or more."""

    reason: str


class Engine(Protocol):
    """A place to run work.

    Attributes
    ----------
    workers : int
        Items that are worked on at the same time.
    notes : list of str
        What went wrong with the place itself and was got over.
    """

    workers: int
    notes: list[str]

    def run(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R | Lost]:
        """Results in the order of the items, a few items ahead of who takes them.

        An exception of the work is raised here.
        """
        ...

    def close(self) -> None:
        """Give back what is held: processes, connections."""
        ...


def in_order(
    submit: Callable[[T], Future[R]], items: Iterable[T], ahead: int
) -> Iterator[tuple[T, Future[R]]]:
    """Items with the futures of their results, in order; at most `ahead` are under way.

    So results that wait for a slow one before them are few, however many items there are.
    """
    source = iter(items)
    under_way = deque((item, submit(item)) for item in islice(source, ahead))
    while under_way:
        yield under_way.popleft()
        under_way.extend((item, submit(item)) for item in islice(source, 1))
