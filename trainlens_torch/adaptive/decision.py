"""What a manager of the learning rate answers, and what it keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Change", "Decision", "Wish"]


class Decision(NamedTuple):
    """Answer to one evaluation; unpacks into ``adjust, reason, factor``.

    Parameters
    ----------
    adjust : bool
        Whether the learning rate changes now.
    reason : str
        Why, or why not, with the numbers that it was judged by.
    factor : float
        What the learning rate is multiplied by, beside what it was before; 1 where `adjust` is
        False.
    """

    adjust: bool
    reason: str
    factor: float


@dataclass(frozen=True)
class Change:
    """One entry of the record of decisions.

    Parameters
    ----------
    epoch : float
        As given to `update`, else the number of the evaluation, from 0.
    loss : float
        As given; may be NaN.
    reason : str
    before, after : float
        Factor of the base learning rate before and since; the same where nothing was changed and
        the entry tells of a loss that could not be used.
    """

    epoch: float
    loss: float
    reason: str
    before: float
    after: float


class Wish(NamedTuple):
    """What the rules of a mode ask for: another factor of the base rate, and why.

    Parameters
    ----------
    factor : float or None
        Absolute; None where nothing is to change.
    reason : str
    by : float
        The number that the factor was multiplied by, where that and no bound gave it.
    """

    factor: float | None
    reason: str
    by: float = 1.0
