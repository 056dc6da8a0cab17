"""A watch from its beginning to its end: rounds, and what is shown, written and done of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Protocol

from trainlens.monitor.events import Events
from trainlens.monitor.loop import Clocks, Monitor
from trainlens.monitor.model import ENDED, GONE, Update
from trainlens.reporting.digest import Digest

SOON = 1.0
"""Seconds between two rounds at least, where something asks for one before its time."""
_GROWTH = 0.1
"""Of an interval at least, where files have only grown: who asks for a long one wants rest."""
_STEP = 0.25


class View(Protocol):
    """Shows updates and hears the user."""

    def show(self, update: Update) -> None:
        """Show what there is to know."""
        ...

    def wait(self, seconds: float) -> str:
        """Wait at most so long: ``quit``, ``now`` for a round at once, or empty."""
        ...


class Page(Protocol):
    """Keeps a page up to date."""

    def update(
        self, digests: Sequence[Digest], update: Update, *, force: bool = False
    ) -> tuple[str, ...]:
        """Write it where that is due; gives what went wrong."""
        ...


class Reacting(Protocol):
    """Does what was asked for when findings open, change or close."""

    @property
    def stopping(self) -> str:
        """Why the watch is to end; empty while it goes on."""
        ...

    def react(self, update: Update) -> tuple[str, ...]:
        """Set it going; gives what went wrong."""
        ...


@dataclass(frozen=True)
class Rhythm:
    """When rounds are made.

    Parameters
    ----------
    interval : float
        Seconds from one to the next.
    once : bool
        One round only, in which every run is looked at.
    until_end : bool
        Until every run has ended or is gone.
    """

    interval: float = 30.0
    once: bool = False
    until_end: bool = False


class Terminated(BaseException):
    """The system asks this process to end. No `Exception`: nothing shall swallow it."""


def watch(
    monitor: Monitor,
    view: View,
    rhythm: Rhythm,
    *,
    page: Page | None = None,
    reactions: Reacting | None = None,
    events: Events | None = None,
    clocks: Clocks | None = None,
) -> str:
    """Make rounds until the user, the runs or a finding ends the watch.

    Parameters
    ----------
    monitor : Monitor
    view : View
    rhythm : Rhythm
    page : Page, optional
    reactions : Reacting, optional
    events : Events, optional
        Started; wakes before the interval is over.
    clocks : Clocks, optional

    Returns
    -------
    str
        Why it was stopped by a finding; else empty.
    """
    tick = (clocks or Clocks()).tick
    stirred, points, last = False, 0, rhythm.once
    while True:
        begun = tick()
        update = monitor.round(stirred=stirred, everything=last)
        ended = rhythm.until_end and _ended(update)
        # What a run wrote in the end is judged before the watch is over.
        over = rhythm.once or (ended and (last or _judged(update)))
        last = rhythm.once or ended
        said = update.notices
        if reactions is not None:
            said += reactions.react(update)
        if page is not None:
            said += page.update(monitor.digests, update, force=over or bool(update.changes))
        view.show(_with(update, said))
        if reactions is not None and reactions.stopping:
            return reactions.stopping
        if over:
            return ""
        if ended:
            continue
        if _pause(view, rhythm.interval, begun, events, tick, monitor.pending) == "quit":
            return ""
        before, points = points, sum(run.points for run in update.runs)
        stirred = events.take(grew=points != before) if events is not None else False


def _with(update: Update, notices: tuple[str, ...]) -> Update:
    return update if notices == update.notices else replace(update, notices=notices)


def _ended(update: Update) -> bool:
    return bool(update.runs) and all(run.state in (ENDED, GONE) for run in update.runs)


def _judged(update: Update) -> bool:
    return all(run.looked == run.points or run.state == GONE for run in update.runs)


def _pause(
    view: View,
    interval: float,
    begun: float,
    events: Events | None,
    tick: Callable[[], float],
    pending: bool,
) -> str:
    """Wait for the next round; what the user said meanwhile."""
    until = begun + (min(SOON, interval) if pending else interval)
    while (left := until - tick()) > 0:
        # A view that waits hears keys only: the words of the system are asked for in between.
        said = view.wait(min(left, _STEP) if events is not None else left)
        if said:
            return said
        if events is not None and tick() >= begun + _rest(events, interval):
            return ""
    return ""


def _rest(events: Events, interval: float) -> float:
    """Seconds from one round to the next where the system has a word: less for a new file."""
    if events.stirred:
        return SOON
    return max(SOON, _GROWTH * interval) if events.woken else float("inf")


@contextmanager
def terminable() -> Iterator[None]:
    """Within, a request of the system to end comes as `Terminated`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated(signal.Signals(number).name)

    before = {n: signal.signal(n, end) for n in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
