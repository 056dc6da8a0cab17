"""How far a job over many runs is: a bar with rate and remaining time, on a terminal only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

import click

T = TypeVar("T")

_PATIENCE = 0.7
"""Seconds after which somebody begins to wonder."""


def ticking(
    results: Iterator[T],
    total: int,
    *,
    stream: TextIO,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Pass results on; show how many of them have come when that takes its time.

    Parameters
    ----------
    results : iterator
    total : int
        How many there will be.
    stream : text file
        Where the bar is drawn, if that is a terminal.
    clock : callable
        Gives seconds.
    """
    if not stream.isatty():
        yield from results
        return
    begin, bar = clock(), None
    try:
        for done, result in enumerate(results, 1):
            yield result
            took = clock() - begin
            if bar is None and took > _PATIENCE:
                bar = _bar(total, stream)
                bar.update(done - 1)
            if bar is not None:
                bar.update(1, done / took)
    finally:
        if bar is not None:
            bar.render_finish()


def _bar(total: int, stream: TextIO) -> Any:
    return click.progressbar(
        length=total,
        file=stream,
        show_pos=True,
        show_eta=True,
        item_show_func=lambda rate: f"{rate:.0f} runs/s" if rate else None,
        width=24,
        update_min_steps=1,
    )
