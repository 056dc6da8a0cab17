"""Which run is looked at when: the urgent ones first, and no more than a share of a core.

A look costs as much as the log is long, so it is not taken at every record. What a user waits for
is taken at once: what looks alarming, and the first look at a run. A long log is looked at in a
process of its own: that leaves no memory behind, and the screen goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from trainlens.errors import Unreadable
from trainlens.monitor.budget import Budget
from trainlens.monitor.look import Failure, Looked, Wanted, look
from trainlens.readers.base import Source

REGULAR, URGENT, FIRST = 0.03, 0.2, 0.5
"""Shares of a core for looks that can wait, that should not, and for the first at each run."""
_RESERVE = 1.0
_AT_ONCE = 0.25
"""Seconds of processor time after which looks that can wait leave it to the next round: new points
are more than a verdict."""
_LONG = 200_000
"""Points of a run from which on a look is taken in a process of its own."""
_AGES = (60.0, 300.0, 1800.0)
"""Seconds of silence after which a run is looked at although it has not grown; then at every
doubling."""


class Subject(Protocol):
    """A run as far as its looks are concerned."""

    source: Source
    name: str
    points: int


@dataclass
class Due:
    """What is known of the looks at a run.

    Parameters
    ----------
    points : int
        That it had at the last look; -1 before the first.
    urgent : bool
        Whether something alarming was read since.
    silence : float
        Seconds of silence that the last look has seen.
    since : float
        Tick at which it became due; 0 where it is not.
    """

    points: int = -1
    urgent: bool = False
    silence: float = 0.0
    since: float = 0.0


class _Away(NamedTuple):
    """A look that is taken in a process of its own."""

    key: str
    place: str
    future: Future[Looked | Failure]
    executor: ProcessPoolExecutor


class Looks:
    """Takes looks at runs.

    Parameters
    ----------
    take : callable
        As `trainlens.monitor.look.look`; that one is used in processes of their own.
    apart : bool
        Whether long logs may be looked at in processes of their own.
    """

    def __init__(
        self,
        take: Callable[[Wanted, Source, str], Looked | Failure] = look,
        *,
        apart: bool = True,
    ) -> None:
        self._take, self._apart = take, apart
        self._due: dict[str, Due] = {}
        self._regular = Budget(REGULAR, _RESERVE)
        self._urgent = Budget(URGENT, _RESERVE)
        self._first = Budget(FIRST, _RESERVE)
        self._away: _Away | None = None

    def note(self, key: str, points: int, *, urgent: bool, age: float | None, tick: float) -> None:
        """What is new about a run.

        Parameters
        ----------
        key : str
        points : int
            That it has.
        urgent : bool
            Whether something alarming was read.
        age : float or None
            Seconds for which it has been silent.
        tick : float
        """
        due = self._due.setdefault(key, Due())
        due.urgent |= urgent
        if age is not None and age < due.silence:
            due.silence = 0.0
        grown = points != due.points
        quiet = age is not None and _mark(age) > due.silence
        if grown or due.urgent or quiet:
            due.since = due.since or tick
        if quiet and not grown:
            due.silence = _mark(age or 0.0)

    def forget(self, key: str) -> None:
        """A run begins anew."""
        self._due[key] = Due()

    def taken(
        self,
        runs: Sequence[tuple[str, Subject]],
        wanted: Callable[[str], Wanted],
        tick: float,
        *,
        everything: bool = False,
    ) -> Iterator[tuple[str, Looked | Failure]]:
        """Take the looks that are due and affordable.

        Parameters
        ----------
        runs : sequence of (key, run)
        wanted : callable
            What a look at the run of a key is to bring.
        tick : float
        everything : bool
            Whether all that is due is looked at, whatever it costs.
        """
        yield from self._returned(wait=everything)
        held, spent = dict(runs), 0.0
        for key in self._order(held):
            due, run = self._due[key], held[key]
            budget = self._budget(due)
            late = spent > _AT_ONCE and not due.urgent
            if not everything and (late or not budget.allows(tick)):
                continue
            if self._apart and run.points >= _LONG:
                if self._away is None:
                    self._send(key, run, wanted(key))
                    self._settle(due, run)
                    yield from self._returned(wait=everything)
                continue
            found = self._take(wanted(key), run.source, run.name)
            self._settle(due, run)
            spent += self._pay(found, budget)
            yield key, found

    @property
    def away(self) -> bool:
        """Whether a look is under way in another process."""
        return self._away is not None

    def close(self) -> None:
        """End the look that is under way."""
        if self._away is not None:
            _end(self._away.executor)
            self._away = None

    def _order(self, held: dict[str, Subject]) -> list[str]:
        keys = [key for key in held if key in self._due and self._due[key].since]
        return sorted(keys, key=lambda k: (not self._due[k].urgent, self._due[k].points >= 0,
                                           self._due[k].since))  # fmt: skip

    def _budget(self, due: Due) -> Budget:
        if due.points < 0:
            return self._first
        return self._urgent if due.urgent else self._regular

    def _settle(self, due: Due, run: Subject) -> None:
        due.points, due.urgent, due.since = run.points, False, 0.0

    def _pay(self, found: Looked | Failure, budget: Budget) -> float:
        cost = found.cost if isinstance(found, Looked) else 0.001
        budget.spend(cost)
        if budget is not self._regular:
            # Who has just looked at what was urgent waits with the rest.
            self._regular.spend(cost)
        return cost

    def _send(self, key: str, run: Subject, wanted: Wanted) -> None:
        import multiprocessing

        # Other threads may be alive, whose locks a fork would copy.
        executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _quietly)
        future = executor.submit(look, wanted, run.source, run.name)
        self._away = _Away(key, str(run.source.path), future, executor)

    def _returned(self, wait: bool) -> Iterator[tuple[str, Looked | Failure]]:
        if self._away is None or not (wait or self._away.future.done()):
            return
        away, self._away = self._away, None
        try:
            found = away.future.result()
        except BrokenExecutor:
            text = "the process that read it was killed; memory may have run out"
            found = Unreadable(away.place, text, "watch fewer runs at a time")
        finally:
            away.executor.shutdown(wait=True, cancel_futures=True)
        self._pay(found, self._urgent)
        yield away.key, found


def _mark(age: float) -> float:
    """The longest of the ages to look at that a silence has reached; 0 for none."""
    if age < _AGES[-1]:
        return max((a for a in _AGES if a <= age), default=0.0)
    mark = _AGES[-1]
    while 2 * mark <= age:
        mark *= 2
    return mark


def _quietly() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent


def _end(executor: ProcessPoolExecutor) -> None:
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
