"""What the view remembers of earlier updates: since when findings stand, and what was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainlens.monitor.model import CLOSED, MILDER, Change, Standing, Update
from trainlens.verdict import headline

_MOST = 20
"""News that are kept."""
_WORDS = {CLOSED: "ended", MILDER: "better"}


@dataclass(frozen=True)
class News:
    """Something that was said once and is shown for a while.

    Parameters
    ----------
    at : float
        Unix seconds.
    run : str
        Name of the run, empty where it is about none.
    text : str
    """

    at: float
    run: str
    text: str


@dataclass(frozen=True, eq=False)
class Shown:
    """What a frame is drawn from.

    Parameters
    ----------
    update : Update or None
        None before the first one.
    now : float
        Unix seconds.
    since : mapping of int to float
        When each open finding was told, by its number, as far as this view saw it.
    news : tuple of News
        The newest last.
    behind : int
        Rounds that have come since `update`, while the view is paused.
    """

    update: Update | None
    now: float
    since: Mapping[int, float] = field(default_factory=dict)
    news: tuple[News, ...] = ()
    behind: int = 0


class Memory:
    """Hears every update, also those that are not drawn; bounded."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._news: deque[News] = deque(maxlen=_MOST)

    def hear(self, update: Update) -> None:
        """Take in what is new in an update."""
        for change in update.changes:
            self._since[change.number] = change.at
            word = _WORDS.get(change.kind)
            if word:
                self._news.append(_told(change, word))
        for run in update.runs:
            self._news.extend(News(update.at, run.name, text) for text in run.notices)
        stands = {number for run in update.runs for number, _ in run.findings}
        self._since = {n: at for n, at in self._since.items() if n in stands}

    def shown(self, update: Update | None, now: float, behind: int) -> Shown:
        """What there is to draw."""
        return Shown(update, now, dict(self._since), tuple(self._news), behind)


def _told(change: Change, word: str) -> News:
    return News(change.at, change.run, f"{word}: {headline(change.finding)}")


def key(run: Standing) -> tuple[str, str]:
    """What tells a run from the others: where its log lies, and its name there."""
    return run.source, run.name
