"""One trainer_state.json: its log history and its settings, as far as they are complete."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainlens.chunk import Notice
from trainlens.readers._json.decode import Object, quote_non_finite, scan
from trainlens.readers._values import whole
from trainlens.words import plural

HISTORY = re.compile(rb'(?<!\\)"log_history"\s{0,64}:\s{0,64}\[')
"""Where the list of entries begins; not within a quoted text."""

_OTHER_SIGNS = (
    re.compile(rb'log_history"?'),
    re.compile(rb"\[(?=\s{0,64}\{\s{0,64}\")"),
    re.compile(rb'\A\s{0,64}\{(?=\s{0,64}")'),
)
"""Where it may begin in a file that is damaged right there."""

_GARBLED = frozenset("\ufffd\0")
"""What bytes that are no text become."""

LARGEST = 1 << 30
"""Bytes of a state that are read at most; a history of millions of entries fits."""

_MOST = 50
"""Damaged places that are named one by one."""

_BLANK = b" \t\r\n"
_LFS = b"version https://git-lfs.github.com/spec/"
_CHECKPOINT = re.compile(r"\d+$")


@dataclass(frozen=True, eq=False)
class State:
    """What one file holds.

    Parameters
    ----------
    path : Path
    step : int
        Optimizer updates done when it was written.
    entries : list of dict
        The complete entries of its log history, in order; NaN and infinities are the strings
        of JSON's missing tokens.
    settings : dict
        Everything else at the top level.
    damage : tuple of Notice
        Empty for a state that is whole.
    lost : int or None
        Entries that are gone; None where that cannot be known.
    """

    path: Path
    step: int
    entries: list[Object]
    settings: dict[str, Any]
    damage: tuple[Notice, ...] = ()
    lost: int | None = 0

    @property
    def intact(self) -> bool:
        """Whether the file is what its writer meant it to be."""
        return not self.damage


def read_state(path: Path, label: str) -> State:
    """Read a file; what is damaged in it is left out and named.

    Parameters
    ----------
    path : Path
    label : str
        How to call the file in notices.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size) if size <= LARGEST else b""
    if size > LARGEST:
        notice = Notice("skipped", label, "a state of more than 1 GiB, passed over", None)
        return State(path, _named_step(path), [], {}, (notice,), None)
    return parse_state(data, path, label)


def parse_state(data: bytes, path: Path, label: str) -> State:
    """The state in the bytes of a file; see `read_state`."""
    try:
        value = orjson.loads(quote_non_finite(data))
    except orjson.JSONDecodeError:
        return _recovered(data, path, label)
    history = value.get("log_history") if isinstance(value, dict) else None
    if not isinstance(history, list):
        return _recovered(data, path, label)
    del value["log_history"]
    entries = _sound(history)
    odd = len(history) - len(entries)
    what = f"{plural(odd, 'entry', 'entries')} of the log history without a step, passed over"
    damage = (Notice("corrupt", label, what, odd),) if odd else ()
    return State(path, _step(value, path, entries), entries, value, damage, odd)


def _recovered(data: bytes, path: Path, label: str) -> State:
    """The complete entries of a torn or damaged file."""
    begin = next(filter(None, (pattern.search(data) for pattern in (HISTORY, *_OTHER_SIGNS))), None)
    if not begin:
        kind, what = ("corrupt", "no log history in it")
        if data.startswith(_LFS):
            kind, what = "lfs-pointer", "a git-LFS pointer; `git lfs pull` fetches the state"
        return State(path, _named_step(path), [], {}, (Notice(kind, label, what, None),), None)
    start = begin.end()
    found = scan(data[start:], array=True)
    settings = _object(data[: begin.start()].rstrip(_BLANK).rstrip(b",") + b"}")
    rest = data[start + found.end :].strip(_BLANK + b",\0")
    if rest.startswith(b"]"):
        settings |= _object(b"{" + rest[1:].lstrip(_BLANK + b","))
    objects = list(_unfolded(found.objects))
    entries = _sound(objects)
    notices = list(_damage(data, start, found.end, found.gaps, label))
    if len(HISTORY.findall(data, start)):
        what = "another state begins within the file; the entries of both were kept"
        notices.append(Notice("corrupt", f"{label}, bytes {start}-{start + found.end}", what, 0))
    if odd := len(objects) - len(entries):
        what = f"{plural(odd, 'entry', 'entries')} without a step, or garbled, left out"
        notices.append(Notice("corrupt", f"{label}, bytes {start}-{start + found.end}", what, odd))
    lost = sum(n.lost or 0 for n in notices)
    return State(path, _step(settings, path, entries), entries, settings, tuple(notices), lost)


def _unfolded(objects: list[Object]) -> Iterator[Object]:
    """Entries; of a whole state that stands among them, the entries that it has."""
    for found in objects:
        inner = found.get("log_history")
        if isinstance(inner, list):
            yield from (entry for entry in inner if isinstance(entry, dict))
        else:
            yield found


def _sound(history: list[Any]) -> list[Object]:
    """Entries with a step and readable names; the Trainer writes no others."""
    found = [e for e in history if isinstance(e, dict) and not _GARBLED.intersection("".join(e))]
    placed = [entry for entry in found if whole(entry.get("step")) is not None]
    return placed or found


def _damage(data: bytes, start: int, end: int, gaps: list[bytes], label: str) -> Iterator[Notice]:
    at = start
    for gap in gaps[:_MOST]:
        at = data.index(gap, at)
        lost = gap.count(b"{")
        what = f"{plural(lost, 'entry', 'entries')} not valid, left out"
        what = what if lost else "damage between entries, which were kept"
        yield Notice("corrupt", f"{label}, bytes {at}-{at + len(gap)}", what, lost)
        at += len(gap)
    if more := gaps[_MOST:]:
        lost = sum(gap.count(b"{") for gap in more)
        what = f"damage in {len(more)} further places; entries around it were kept"
        yield Notice("corrupt", f"{label}, bytes {at}-{start + end}", what, lost)
    rest = data[start + end :]
    where = f"{label}, bytes {start + end}-{len(data)}"
    body = rest.strip(_BLANK + b",\0")
    if body.startswith(b"]"):
        kind = "corrupt" if body.endswith(b"}") else "torn-tail"
        yield Notice(kind, where, "damage behind the log history, which was kept", 0)
    elif b"]" in body:
        yield Notice("corrupt", where, "the last entry is not valid", max(1, body.count(b"{")))
    else:
        torn = int(b"{" in body)
        yield Notice("torn-tail", where, "the file ends within the log history", torn)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(quote_non_finite(data))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _step(settings: dict[str, Any], path: Path, entries: list[Object]) -> int:
    said = whole(settings.get("global_step"))
    if said is not None:
        return said
    return _named_step(path) or max((whole(e.get("step")) or 0 for e in entries), default=0)


def _named_step(path: Path) -> int:
    return checkpoint_number(path) or 0


def checkpoint_number(path: Path) -> int | None:
    """The step in the name of a state's folder (``checkpoint-500``), None without one."""
    name = path.parent.name
    found = _CHECKPOINT.search(name) if "checkpoint" in name else None
    return int(found[0][:18]) if found else None
