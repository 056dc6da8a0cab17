"""Of many runs, those whose curves a page can show, and those that get a page of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.reporting.digest import Digest
from trainlens.reporting.runs import ranking_key
from trainlens.rules.base import gravity
from trainlens.run import Key

_LINES = 800
"""Curves that a page can hold: 100 runs of 8 metrics."""
_LEAST = 12
"""Runs that are drawn however many metrics they have."""


@dataclass(frozen=True)
class Choice:
    """What a report settles about its runs before anything is written.

    Parameters
    ----------
    key : (metric, split) or None
        What the runs are ranked by.
    drawn : tuple of int
        Runs whose curves are drawn, ascending.
    """

    key: Key | None
    drawn: tuple[int, ...]


def choose(digests: Sequence[Digest]) -> Choice:
    """Rank the runs of a report and choose those that are drawn."""
    key = ranking_key(d.lead for d in digests)
    return Choice(key, drawn(digests, key))


def drawn(digests: Sequence[Digest], key: Key | None) -> tuple[int, ...]:
    """Runs whose curves are drawn: all, or the gravest, the best, and a sample of the others.

    Of many runs, half of the room goes to those with warnings and errors, a quarter to the best
    by `key`, and the rest to runs from the best to the worst at even distances.

    Parameters
    ----------
    digests : sequence of Digest
    key : (metric, split) or None
        What the runs are ranked by.

    Returns
    -------
    tuple of int
        Ascending.
    """
    n = len(digests)
    lines = sum(len(d.curves) for d in digests)
    if n <= _LEAST or lines <= _LINES:
        return tuple(range(n))
    room = min(n, max(_LEAST, _LINES * n // lines))
    flagged, order = _by_gravity(digests), _by_rank(digests, key)
    chosen = dict.fromkeys([*flagged[: room // 2], *order[: room // 4]])
    left = [i for i in order if i not in chosen]
    evenly = np.linspace(0, len(left) - 1, room - len(chosen)).round().astype(int)
    return tuple(sorted({*chosen, *(left[k] for k in evenly)}))


def detailed(digests: Sequence[Digest], key: Key | None, most: int) -> tuple[int, ...]:
    """Runs that get a page of their own: the three best and the gravest, `most` in all."""
    best = [i for i in _by_rank(digests, key) if not digests[i].told.flagged][:3]
    chosen = dict.fromkeys([*best, *_by_gravity(digests)])
    return tuple(sorted(list(chosen)[:most]))


def _by_gravity(digests: Sequence[Digest]) -> list[int]:
    """Runs with warnings and errors, the gravest first."""
    return sorted(
        (i for i, d in enumerate(digests) if d.told.flagged),
        key=lambda i: gravity(digests[i].told.findings[0]),
    )


def _by_rank(digests: Sequence[Digest], key: Key | None) -> list[int]:
    """All runs, the best first; those without the quantity last."""

    def place(i: int) -> float:
        held = digests[i].standings.get(key) if key else None
        if held is None:
            return float("inf")
        sign = -1.0 if held.standing.direction == "max" else 1.0
        return sign * held.standing.best

    return sorted(range(len(digests)), key=place)
