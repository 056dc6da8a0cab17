"""What a watch shows where there is no screen, and when its screen is gone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from trainlens.monitor.model import Update
    from trainlens.monitor.screen.screen import Screen


class PlainView:
    """Prints lines.

    Parameters
    ----------
    sleep : callable
        Called with the seconds to the next round.
    """

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep = sleep
        self._before: Update | None = None

    def show(self, update: Update) -> None:
        """Print what there is to say of an update, at once."""
        from trainlens.monitor.screen.plain import lines

        context = click.get_current_context(silent=True)
        colour = bool(context and context.color)
        for line in lines(update, before=self._before, colour=colour):
            click.echo(line)
        self._before = update

    def wait(self, seconds: float) -> str:
        """Wait; nobody is there who could say anything."""
        self._sleep(seconds)
        return ""


class Opening:
    """A screen that is opened when there is something to show: the first round may take a while.

    Parameters
    ----------
    screen : Screen
    on : ExitStack
        Closes it.
    """

    def __init__(self, screen: Screen, on: ExitStack) -> None:
        self._screen, self._on = screen, on
        self._opened = False

    def show(self, update: Update) -> None:
        """Open the screen where it is not, and show an update."""
        if not self._opened:
            self._opened = True
            self._on.enter_context(self._screen)
        self._screen.show(update)

    def wait(self, seconds: float) -> str:
        """See `Screen.wait`."""
        return self._screen.wait(seconds)


def console() -> Console:
    """The terminal that a screen is drawn on."""
    from rich.console import Console

    context = click.get_current_context(silent=True)
    plain = context is not None and context.color is False
    # What a shell says of the size holds until the window gets another one.
    known = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    return Console(
        no_color=plain or None, highlight=False, markup=False, emoji=False, _environ=known
    )


def spelling() -> Callable[[str], str] | None:
    """What puts a text into the signs of this terminal; None where it has them all."""
    from trainlens.cli._plain import fits, plain

    if fits(sys.stdout):
        return None
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return lambda text: plain(text, encoding)


def closing_line(update: Update | None) -> str:
    """What is left on the terminal when a screen is gone."""
    from trainlens.render.text import clean

    if update is None or not update.runs:
        return "No run was seen."
    told = [_wrapped(clean(r.name), clean(r.sentence)) for r in update.runs[:10] if r.sentence]
    more = len(update.runs) - 10
    return "\n".join(told + ([f"and {more} more runs"] if more > 0 else []))


def _wrapped(name: str, sentence: str) -> str:
    """The sentence for the width of the terminal; its findings are no longer below it."""
    from trainlens.render.text import width

    sentence = sentence.replace(" below.", ".")
    return click.wrap_text(f"{name}: {sentence}", width(), subsequent_indent="  ")
