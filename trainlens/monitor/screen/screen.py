"""The screen: shows updates on a terminal and lets keys steer what is seen, until time is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import tzinfo

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.segment import Segment

from trainlens.monitor.model import Update
from trainlens.monitor.screen.choice import Choice, pressed
from trainlens.monitor.screen.keys import Keys
from trainlens.monitor.screen.memory import Memory, Shown
from trainlens.monitor.screen.view import Canvas, frame, limit

QUIT, NOW = "quit", "now"
_FRAME = 0.25
"""Seconds between two frames at least."""
_TICK = 1.0
"""Seconds after which a frame that nothing changed is drawn again: it tells the time."""
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""A letter that the terminal finds wider than we do is cut off instead of moving all below it."""


def _stopped() -> None:
    os.kill(os.getpid(), signal.SIGTSTP)


@dataclass
class _Page:
    """What is on the screen, drawn for the size that the terminal has at that moment."""

    shown: Shown
    choice: Choice
    spell: Callable[[str], str] | None
    zone: tzinfo | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        canvas = Canvas(*options.size, self.spell, self.zone)
        for line in frame(self.shown, self.choice, canvas):
            # A line without parts of its own style is rendered without the style of the whole.
            yield from Segment.apply_style(line.render(console), console.get_style(line.style))
            yield Segment.line()


class Screen:
    """Shows updates on the alternate screen of a terminal; a context manager.

    Whatever ends it, the terminal is as it was before: its screen, cursor and modes.

    Parameters
    ----------
    console : Console
        Where to draw.
    keys : Keys
        See `trainlens.monitor.screen.keys.keys_of`.
    clock : callable
        Seconds of a clock that never jumps; times of the day follow from those of the updates.
    spell : callable, optional
        Puts a text in the signs of a terminal that lacks braille; see `Canvas`.
    zone : tzinfo, optional
        Of times; the local one where it is left out.
    suspend : callable
        Stops this process until it is continued, which Ctrl-Z asks for.
    """

    def __init__(
        self,
        *,
        console: Console,
        keys: Keys,
        clock: Callable[[], float],
        spell: Callable[[str], str] | None = None,
        zone: tzinfo | None = None,
        suspend: Callable[[], None] = _stopped,
    ) -> None:
        self._console, self._keys, self._clock = console, keys, clock
        self._spell, self._zone, self._suspend = spell, zone, suspend
        self._memory, self._choice = Memory(), Choice()
        self._latest: tuple[Update, float] | None = None
        self._held: tuple[Shown, int] | None = None
        self._drawn: tuple[float, tuple[int, int]] = (-_TICK, (0, 0))
        self._dirty = True
        self._on = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        with ExitStack() as on:
            on.enter_context(self._keys)
            live = Live(
                console=self._console, screen=True, auto_refresh=False,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            on.callback(live.stop)
            live.start()
            if self._console.is_terminal:
                on.callback(self._raw, _WRAP)
                self._raw(_NO_WRAP)
            self._live = live
            self._on = on.pop_all()
        self._dirty = True
        return self

    def __exit__(self, *error: object) -> None:
        self._live = None
        self._on.close()

    def _raw(self, code: str) -> None:
        self._console.file.write(code)
        self._console.file.flush()

    @property
    def latest(self) -> Update | None:
        """The update that was shown last."""
        return self._latest[0] if self._latest is not None else None

    def show(self, update: Update) -> None:
        """Take an update, and draw it unless the view is paused."""
        self._memory.hear(update)
        self._latest = (update, self._clock())
        self._dirty = True
        self._draw_if_due()

    def wait(self, seconds: float) -> str:
        """Draw and take keys for so long.

        Returns
        -------
        str
            Empty when the time is over, ``quit`` when the user wants to leave, ``now`` when he
            wants a round at once.
        """
        end = self._clock() + seconds
        while True:
            self._draw_if_due()
            left = end - self._clock()
            if left <= 0:
                return ""
            # A new size is noticed within a frame.
            for name in self._keys.read(min(left, _FRAME)):
                asked = self._pressed(name)
                if asked:
                    return asked

    def _pressed(self, name: str) -> str:
        if name in ("q", "Q"):
            return QUIT
        if name == "r":
            return NOW
        if name == "suspend":
            self._suspended()
            return ""
        shown = self._shown()
        most = limit(shown, self._choice, Canvas(*self._size(), self._spell, self._zone))
        choice = pressed(self._choice, name, shown.update, most)
        self._dirty = self._dirty or choice != self._choice
        if choice.paused != self._choice.paused:
            self._held = (shown, self._rounds()) if choice.paused else None
        self._choice = choice
        return ""

    def _suspended(self) -> None:
        self.__exit__()
        self._suspend()
        self.__enter__()

    def _rounds(self) -> int:
        return self._latest[0].round if self._latest else 0

    def _shown(self) -> Shown:
        """What a frame is to show; while the view is paused, what it showed then."""
        if self._held is not None:
            shown, then = self._held
            behind = max(0, self._rounds() - then)
            return Shown(shown.update, shown.now, shown.since, shown.news, behind)
        if self._latest is None:
            return self._memory.shown(None, 0.0, 0)
        update, at = self._latest
        return self._memory.shown(update, update.at + self._clock() - at, 0)

    def _size(self) -> tuple[int, int]:
        width, height = self._console.size
        return width, height

    def _draw_if_due(self) -> None:
        """Draw where something changed, but no more than four times a second."""
        now, (then, size) = self._clock(), self._drawn
        changed = self._dirty or size != self._size()
        if now - then < (_FRAME if changed else _TICK):
            return
        if self._live is not None:
            self._drawn, self._dirty = (now, self._size()), False
            page = _Page(self._shown(), self._choice, self._spell, self._zone)
            self._live.update(page, refresh=True)
