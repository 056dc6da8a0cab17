"""Many lines of one layout at once: what they say, as arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from trainlens.chunk import Floats, Ints
from trainlens.readers._text.layout import Layout, moments
from trainlens.readers._text.program import Found
from trainlens.roles import parse_name

RECENT = 8
"""Lines of which the texts are kept: they tell how the numbers are printed."""

Groups = tuple[str, ...]
Match = Callable[[str, int], re.Match[str] | None]


class Many(NamedTuple):
    """What n lines of a layout say.

    Parameters
    ----------
    step : ndarray of int64, shape (n,), or None
        None where the lines have none; so for `epoch`, `steps` and `wall_time`.
    epoch : ndarray of float64, shape (n,), or None
    steps : int or None
        The total to which all of them count.
    wall_time : ndarray of float64, shape (n,), or None
    values : list of ndarray of float64, shape (n,)
        The numbers of each pair, in the order of the groups.
    recent : list of callable
        Each gives the groups of one of the last lines, seldom asked for.
    """

    step: Ints | None
    epoch: Floats | None
    steps: int | None
    wall_time: Floats | None
    values: list[Floats]
    recent: list[Callable[[], Groups]]


def of_texts(layout: Layout, texts: list[Groups], values: list[Floats]) -> Many:
    """The lines between the first and the last, by the texts and values of each group."""
    held = [column[1:-1] for column in texts]
    step, epoch, steps, wall = map(layout.at, ("step", "epoch", "steps", "wall_time"))
    recent = [column[-RECENT:] for column in held]
    return Many(
        None if step is None else np.array(list(map(int, held[step])), np.int64),
        None if epoch is None else np.array(held[epoch]).astype(np.float64),
        None if steps is None else int(held[steps][0]),
        None if wall is None else moments(held[wall]),
        [v[1:-1] for v in values],
        [partial(tuple, groups) for groups in zip(*recent, strict=True)],
    )


def of_found(layout: Layout, found: Found, at: Ints) -> Many:
    """The lines `at`, ascending, among those that were found."""
    begin, end = int(at[0]), int(at[-1]) + 1
    value = found.value[:, begin:end] if end - begin == len(at) else found.value[:, at]

    def column(role: str) -> Floats | None:
        number = layout.at(role)
        return None if number is None else value[number]

    step, steps = column("step"), column("steps")
    pairs = [i for i, pair in enumerate(layout.pair_of) if pair >= 0]
    return Many(
        None if step is None else step.astype(np.int64),
        column("epoch"),
        None if steps is None else int(steps[0]),
        column("wall_time"),
        [value[i] for i in pairs],
        # The text of a line, not the block that holds it.
        [partial(groups_of, layout.match, found.line(i)) for i in at[-RECENT:].tolist()],
    )


def groups_of(match: Match, text: str) -> Groups:
    """The texts of the groups of a line that is known to match."""
    found = match(text, 0)
    assert found is not None
    return found.groups()


def agree(layout: Layout, found: Found) -> bool:
    """Whether all lines count to the same totals."""
    totals = [found.value[i] for i in map(layout.at, ("steps", "epochs")) if i is not None]
    return all(bool((total == total[0]).all()) for total in totals)


def rising(layout: Layout, found: Found) -> list[Ints]:
    """States of a bar, cut where its count does not rise or the epoch is another one.

    Of the states of one count only the last is kept.
    """
    step, epoch = layout.at("step"), layout.at("epoch")
    if step is None:
        return [np.array([i], np.int64) for i in range(len(found.start))]
    count = found.value[step]
    turn = count[1:] < count[:-1]
    if epoch is not None:
        turn |= found.value[epoch, 1:] != found.value[epoch, :-1]
    last = np.ones(len(count), bool)
    last[:-1] = (count[1:] != count[:-1]) | turn
    kept = np.flatnonzero(last)
    cuts = np.searchsorted(kept, np.flatnonzero(turn), "right").tolist()
    return [kept[a:b] for a, b in pairwise([0, *cuts, len(kept)])]


def tells_training(layout: Layout) -> bool:
    """Whether neither the lines nor a name in them are about validation."""
    return layout.split in (None, "train") and not any(
        parse_name(pair.name)[1] in ("val", "test") for pair in layout.pairs
    )
