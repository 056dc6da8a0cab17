"""Other output between the records: lines that say a step or an epoch, and a loss or a metric.

``Iteration: 740, Loss function: 4.979, Average Loss: 3.780`` is often the only training curve
that a submission printed. Only numbers whose names are those of known quantities count.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from trainlens.readers._values import number
from trainlens.roles import role_of

_LONGEST = 2048
_WORTH = re.compile(rb"(?i)\b(?:epoch|iter|iteration|step)\b")
_APART = re.compile(r"[,;|\[\]]|\s-\s|\.\s+(?=[A-Z])|\s{2,}(?=[A-Za-z])")
_PLACE = re.compile(
    r"(epoch|iteration|iter|(?:global[ _])?step)\s{0,3}[:=#]?\s{0,8}(\d{1,15})(?![\d.%])",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"([A-Za-z][\w@/. ]{0,40}?)(?:\s{0,3}[:=]|\sis)\s{0,8}"
    r"([+-]?(?:\d{1,30}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,4})?|nan|inf))(?![\w:/]|\.\w)"
)
_TOLD = frozenset({"loss", "metric", "learning-rate", "gradient-norm", "throughput"})


class Aside(NamedTuple):
    """What a line of other output says."""

    step: int | None
    epoch: float | None
    pairs: list[tuple[str, float]]


def read_aside(line: bytes) -> Aside | None:
    """The place and the numbers of a line, None where it does not say both."""
    if len(line) > _LONGEST or not _WORTH.search(line):
        return None
    step: int | None = None
    epoch: float | None = None
    pairs: list[tuple[str, float]] = []
    for part in _APART.split(line.decode("utf-8", "replace")):
        text = part.strip()
        if place := _PLACE.match(text):
            if place[1].lower() == "epoch":
                epoch = float(place[2])
            else:
                step = int(place[2])
            text = text[place.end() :].lstrip(" :-")
        pairs += _pair(text)
    return Aside(step, epoch, pairs) if pairs and (step, epoch) != (None, None) else None


def _pair(text: str) -> list[tuple[str, float]]:
    found = _PAIR.match(text)
    value = number(found[2]) if found else None
    if not found or value is None:
        return []
    name = found[1].strip()
    return [(name, value)] if role_of(name).name in _TOLD else []
