"""What one line of a text log says, and what surrounds it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST = 1 << 14
"""Characters of a line that are looked at."""

GAP = "\ufffd"
"""Stands for bytes that are no text: no name and no number touches it."""

MASK = "|"
"""Covers what has been understood, so that places in the line stay where they are."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-9;?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\r\n]{0,500}(?:\x07|\x1b\\)|[@-Z\\-_])"
)
_CONTROL = re.compile(r"[\x00-\x07\x0b-\x0c\x0e-\x1f\x7f]")


class Pair(NamedTuple):
    """A name and its number.

    Parameters
    ----------
    name : str
        As it stands in the line.
    value : float
    text : str
        The number as it stands.
    unit : str
        ``"%"``, ``"ms"``, ``"GiB"``; empty where none stands behind the number.
    split : str or None
        What stands before the pair, where a line tells of several splits.
    """

    name: str
    value: float
    text: str = ""
    unit: str = ""
    split: str | None = None


class Mark(NamedTuple):
    """Where something stands in a line: `role` names a field of `Line`, ``pair`` or ``name``."""

    start: int
    end: int
    role: str


@dataclass(slots=True)
class Line:
    """What was found in a line.

    Parameters
    ----------
    step, steps : int or None
        Counter of steps, and how many there will be.
    epoch : float or None
    epochs : int or None
        How many epochs there will be.
    wall_time : float or None
        Unix seconds.
    split : str or None
    rank : str
        Process that wrote the line; empty where it does not say.
    pairs : list of Pair
    telling : bool
        Some name is known to be about training.
    filled : bool
        Hardly anything stands in the line but pairs.
    bar : str
        Label and total of a progress bar; empty for other lines.
    open_end : bool
        The line ends with the last digit of the last value.
    damaged : bool
        Some of its bytes are no text.
    clash : bool
        Two lines seem to have been written into each other.
    doubtful : int
        Names that were left out because the line gives them two values.
    fixed : bool
        Lines that differ in their numbers only mean the same: `marks` tells all.
    marks : list of Mark
    """

    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    wall_time: float | None = None
    split: str | None = None
    rank: str = ""
    pairs: list[Pair] = field(default_factory=list)
    telling: bool = False
    filled: bool = False
    bar: str = ""
    open_end: bool = False
    damaged: bool = False
    clash: bool = False
    doubtful: int = 0
    fixed: bool = True
    marks: list[Mark] = field(default_factory=list)

    @property
    def placed(self) -> bool:
        """Whether the line says where training stands."""
        return self.step is not None or self.epoch is not None


def decode(data: bytes) -> str:
    """Text without colours; every state of a progress bar on a line of its own.

    Bytes that are no text become `GAP`. Line breaks keep their number, so that a line can be
    found again: states of a bar are divided by a carriage return.
    """
    text = data.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\b" in text:
        text = re.sub(r"\x08+", "\r", text)
    return _CONTROL.sub(GAP, text)


def cover(text: str, start: int, end: int) -> str:
    """The text with a stretch masked; nothing moves."""
    return text[:start] + MASK * (end - start) + text[end:]
