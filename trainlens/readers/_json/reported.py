"""What records say of faults: lists of anomalies become points, texts of errors become events.

``"anomalies": ["loss_spike"]`` is a point 1.0 of ``anomalies/loss_spike`` at the step of its
record, ``"anomalies": [{"type": "loss_spike", "value": 3.2, "message": ".."}]`` a point 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from trainlens.readers._events import FAULT
from trainlens.readers._json.rows import Cells, Name
from trainlens.readers._values import number
from trainlens.roles import normalise

LISTS = frozenset({"anomalies", "warnings", "errors"})
"""Last parts of keys, in lower case, whose lists of words or objects say what went wrong."""

_ERRORS = LISTS | {"anomaly", "error", "exception", "traceback", "alert", "warning"}
_ANYTHING = frozenset({"event", "message", "msg", "status", "reason"})
"""Keys of texts that are errors, and of texts that may be."""

_NAMES = ("type", "kind", "name", "anomaly", "code", "rule", "event", "category")
_MESSAGES = ("message", "msg", "detail", "details", "description", "text", "reason")
_NOTHING = frozenset({"", "none", "null", "no", "false", "ok", "okay", "n/a", "normal", "success"})
_HEAD = re.compile(r"[^\W\d_][^:=(\[{,;.!?<>]*")
_NUMBER = re.compile(r"\s[-+]?[\d.].*", re.DOTALL)
_IDLE = frozenset(
    word
    for words in ("a an and at by detected for found", "in is of on the to was with")
    for word in words.split()
)
_LONGEST = 60
_WORDS = 5
MOST_KINDS = 50
"""Different kinds of one log; what comes after them counts as one."""


class Said(NamedTuple):
    """A text of an error.

    Parameters
    ----------
    record : int
        Its number in the batch.
    text : str
    """

    record: int
    text: str


class Reports:
    """Takes reports out of batches of cells."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def take(self, cells: dict[Name, Cells]) -> list[Said]:
        """Make points of the lists of a batch; the texts of errors, in the order of records.

        Parameters
        ----------
        cells : dict of Name to Cells
            Changed: lists give way to cells named ``anomalies/KIND``.
        """
        found: list[Said] = []
        for name in list(cells):
            key = name.name.rpartition("/")[2].lower()
            if key in LISTS:
                found += self._lists(name, cells)
            if name in cells and (key in _ERRORS or key in _ANYTHING):
                found += _texts(cells[name], key)
        return sorted(found, key=lambda said: said.record)

    def _lists(self, name: Name, cells: dict[Name, Cells]) -> Iterator[Said]:
        found, rest = cells[name].lists(_is_report)
        if rest is None:
            del cells[name]
        else:
            cells[name] = rest
        points: dict[str, tuple[list[int], list[float]]] = {}
        for i, items in found:
            for item in items:
                if item is None:
                    continue
                kind, size, text = _item(item)
                places, sizes = points.setdefault(self._kind(kind), ([], []))
                places.append(i)
                sizes.append(size)
                if text:
                    yield Said(i, text)
        for kind, (places, sizes) in points.items():
            _add(cells, Name(name.section, f"anomalies/{kind}"), places, sizes)

    def _kind(self, kind: str) -> str:
        if kind not in self._kinds:
            self._kinds[kind] = kind if len(self._kinds) < MOST_KINDS else "of_other_kinds"
        return self._kinds[kind]


def is_told(name: Name, other: str) -> bool:
    """Whether what is no number under a name is told as events."""
    return other == "text" and name.name.rpartition("/")[2].lower() in _ERRORS


def _is_report(items: list[Any]) -> bool:
    """Whether a list holds words and objects only; numbers may be anything."""
    return all(item is None or isinstance(item, str | dict) for item in items)


@lru_cache(maxsize=1024)
def _word(item: str) -> tuple[str, float, str]:
    kind = kind_of(item)
    # A text of a few words is its kind; what says more is told as it stands.
    plain = normalise(item.replace("NaN", "Nan")).strip("_") == kind
    return kind, 1.0, "" if plain else item


def _item(item: Any) -> tuple[str, float, str]:
    """Kind, size and message of an entry of a list."""
    if isinstance(item, str):
        return _word(item)
    lower = {str(k).lower(): v for k, v in item.items()}
    text = next((v for k in _MESSAGES if isinstance(v := lower.get(k), str) and v), "")
    named = next((v for k in _NAMES if isinstance(v := lower.get(k), str) and v), "")
    size = number(lower.get("value"))
    # Zero would say that nothing was there; what is not finite is no fault of this series.
    size = size if size and np.isfinite(size) else 1.0
    return kind_of(named or text), size, f"{kind_of(named)}: {text}" if named and text else text


def kind_of(text: str) -> str:
    """What a text is about, in snake case: its words up to the first number or sign.

    Examples
    --------
    >>> kind_of("LossSpike"), kind_of("Loss spike detected: 3.2 sigma"), kind_of("grad norm 9e3")
    ('loss_spike', 'loss_spike', 'grad_norm')
    """
    found = _HEAD.search(text[:_LONGEST].replace("NaN", "Nan"))
    words = normalise(_NUMBER.sub("", found.group())).strip("_").split("_") if found else []
    words = [word for word in words[: 2 * _WORDS] if word]
    while len(words) > 1 and words[-1] in _IDLE:
        words.pop()
    return "_".join(words[:_WORDS]) or "unnamed"


def _texts(held: Cells, key: str) -> Iterator[Said]:
    known: dict[str, bool] = {}

    def tells(text: str) -> bool:
        if text not in known:
            known[text] = tells_fault(text, key)
        return known[text]

    for record, text in held.said(tells):
        yield Said(record, text if key in _ERRORS else f"{key}: {text}")


def tells_fault(text: str, key: str) -> bool:
    """Whether a text under a key, in lower case, says that something went wrong."""
    if key not in _ERRORS and key not in _ANYTHING:
        return False
    if text.strip().lower() in _NOTHING or number(text) is not None:
        return False
    return key in _ERRORS or FAULT.search(text[:1000]) is not None


def _add(cells: dict[Name, Cells], name: Name, at: list[int], values: list[float]) -> None:
    """Append numbers to the cells of a name."""
    more = Cells()
    if name in cells:
        more.add(*cells[name].in_order(), cells[name].types)
    more.add(np.array(at, np.intp), values, {float})
    cells[name] = more
