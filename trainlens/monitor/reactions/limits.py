"""How much is passed on: what is grave enough, together in how many messages, and how often."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainlens.monitor.model import CLOSED, Change
from trainlens.monitor.reactions.told import Told
from trainlens.rules.base import Severity

IN_ONE = 20
"""Findings that one message tells of at most."""
_WAITING = 200
"""Findings that wait for a slow hook at most."""


class Gate:
    """Which changes are passed on.

    What opens, opens again or gets worse passes where its severity is `least` at least. What gets
    milder or closes passes where it was that severe until now, or where an earlier change of it
    passed: who was told of a finding is told of its end.

    Parameters
    ----------
    least : Severity
    """

    def __init__(self, least: Severity) -> None:
        self._least = least
        self._passed: set[tuple[str, str, int]] = set()

    def passed(self, changes: Iterable[Change]) -> list[Change]:
        """Those that are passed on, in their order."""
        return [change for change in changes if self._passes(change)]

    def _passes(self, change: Change) -> bool:
        key = (change.run, change.source, change.number)
        grave = max(s.rank for s in (change.finding.severity, change.before) if s is not None)
        passes = grave >= self._least.rank or key in self._passed
        if change.kind == CLOSED:
            self._passed.discard(key)
        elif passes:
            self._passed.add(key)
        return passes


@dataclass(frozen=True)
class Message:
    """What is passed on at once.

    Parameters
    ----------
    told : tuple of Told
        The most pressing first.
    held : int
        Findings that were held back since the last message.
    """

    told: tuple[Told, ...]
    held: int = 0


class Outbox:
    """Groups changes into messages and holds back what is too much.

    Every change that is added is either in one message, or counted as held back in one, or still
    in `held` or `waiting`.

    Parameters
    ----------
    together : bool
        Whether the changes of one round and of the `window` after it make one message; else each
        makes one.
    window : float
        Seconds.
    most : int
        Messages within any `period`. A fifth of them, two at most, is kept for errors that open.
    period : float
        Seconds.
    """

    def __init__(self, *, together: bool, window: float, most: int, period: float) -> None:
        self._together = together
        self._window = window
        self._most = most
        self._kept = min(2, most // 5)
        self._period = period
        self._waiting: list[Told] = []
        self._since = 0.0
        self._sent: deque[float] = deque()
        self.held = 0

    @property
    def waiting(self) -> int:
        """Findings that are in no message yet."""
        return len(self._waiting)

    @property
    def due(self) -> float | None:
        """When the next message is ready, None without anything to tell."""
        return self._since + self._window if self._waiting else None

    def add(self, told: Sequence[Told], now: float) -> None:
        """Take changes; what is too much for the place there is, is held back."""
        if not self._waiting:
            self._since = now
        room = _WAITING - len(self._waiting)
        self._waiting += told[:room]
        self.held += max(0, len(told) - room)
        self._sort()

    def take(self, now: float, *, rest: bool = False) -> Message | None:
        """The next message, or None where none is ready.

        Parameters
        ----------
        now : float
            Seconds of a clock that never goes back.
        rest : bool
            Whether what there is goes out now, without waiting for more to join it.
        """
        while self._waiting and (rest or now >= self._since + self._window):
            group = self._group()
            if self._allowed(group, now):
                self._sent.append(now)
                held, self.held = self.held, 0
                return Message(group, held)
            self.held += len(group)
        return None

    def _sort(self) -> None:
        """The most pressing first; the changes of one finding stay in their order."""
        pressing: dict[tuple[str, str, int], int] = {}
        for one in self._waiting:
            pressing[one.key] = max(one.rank, pressing.get(one.key, -1))
        self._waiting.sort(key=lambda one: -pressing[one.key])

    def _group(self) -> tuple[Told, ...]:
        group = tuple(self._waiting[: IN_ONE if self._together else 1])
        rest = self._waiting[len(group) :]
        if self._together:
            self.held += len(rest)
            rest = []
        self._waiting = rest
        return group

    def _allowed(self, group: Sequence[Told], now: float) -> bool:
        while self._sent and now - self._sent[0] >= self._period:
            self._sent.popleft()
        grave = any(one.rank == Severity.ERROR.rank for one in group)
        return len(self._sent) < self._most - (0 if grave else self._kept)
