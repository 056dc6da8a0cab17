"""A table of texts that any output can print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Parameters
    ----------
    heads : tuple of str
    rows : tuple of tuple of str
        Each as long as `heads`.
    drop : tuple of int
        Columns that can go where there is no room, the least important first.
    left : tuple of int
        Columns that hold words; the others hold numbers and are aligned at the right.
    short : tuple of int
        Columns whose texts are rather shortened than that another column goes.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    drop: tuple[int, ...] = ()
    left: tuple[int, ...] = (0,)
    short: tuple[int, ...] = (0,)
