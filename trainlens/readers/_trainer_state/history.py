"""The history of a run, from the newest of its states and, where that is torn, older ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trainlens.chunk import Notice
from trainlens.readers._json.decode import Object
from trainlens.readers._trainer_state.state import (
    HISTORY,
    State,
    checkpoint_number,
    parse_state,
    read_state,
)
from trainlens.readers._values import whole
from trainlens.words import plural


@dataclass(eq=False)
class History:
    """What the states of a run tell together.

    Parameters
    ----------
    entries : list of dict
        Log entries, in order.
    settings : dict
        Top level of the newest state.
    notices : list of Notice
        What was damaged or left out.
    whole : bool
        Whether every state that was looked at is; else one may be being written.
    """

    entries: list[Object] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    whole: bool = True


def read_history(files: Sequence[Path], top: Path, final: bool) -> History | None:
    """The history that the states of a run hold.

    Parameters
    ----------
    files : sequence of Path
        See `state_files`.
    top : Path
        The run; notices name files from there.
    final : bool
        False: a state that is not whole is being written and is not looked at. True: its
        complete entries count.

    Returns
    -------
    History or None
        None while no state is whole, without `final`.
    """
    history = History()
    states = list(_newest(files, top, history))
    intact = [s for s in states if s.intact]
    best = max(intact, key=_rank, default=None)
    history.whole = len(intact) == len(states)
    if best is not None:
        history.entries, history.settings = best.entries, best.settings
    if not final:
        return history if best is not None else None
    for torn in sorted((s for s in states if not s.intact), key=_rank):
        _complete(history, best, torn)
    if best is not None and history.whole:
        history.notices += _strays(best, files, {s.path for s in states}, top)
    return history


def _newest(files: Sequence[Path], top: Path, history: History) -> Iterator[State]:
    """States down to the newest numbered one that is whole: the others hold less."""
    for path in files:
        label = _label(path, top)
        try:
            state = read_state(path, label)
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            history.notices.append(Notice("unreadable", label, text, None))
            continue
        yield state
        numbered = path.parent != top and checkpoint_number(path) is not None
        if numbered and state.intact:
            return


def _label(path: Path, top: Path) -> str:
    return path.name if path == top else path.relative_to(top).as_posix()


def _rank(state: State) -> tuple[int, int]:
    return state.step, len(state.entries)


def _complete(history: History, best: State | None, torn: State) -> None:
    """Add what a damaged state has beyond the history so far."""
    before = history.entries
    history.entries = _joined(torn.entries, before)
    filled = len(history.entries) - len(torn.entries)
    if best is None or _rank(torn) > _rank(best):
        history.settings = {**history.settings, **torn.settings}
    for notice in torn.damage:
        if notice.lost is not None and before and history.entries[: len(before)] == before:
            # What is gone from here may stand in the older state.
            lost = max(0, notice.lost - filled)
            text = (
                f"{notice.message}; an older state gave {plural(len(before), 'entry', 'entries')}"
            )
            history.notices.append(Notice(notice.kind, notice.where, text, lost))
        else:
            history.notices.append(notice)


def _joined(torn: list[Object], older: list[Object]) -> list[Object]:
    """The entries of a whole older state, and what a damaged newer one has beyond them.

    Where the two do not tell the same story, the newer one counts.
    """
    if not torn or not older:
        return torn or older
    held = set(entry_keys(older))
    new = [e for e, key in zip(torn, entry_keys(torn), strict=True) if key not in held]
    last = whole(older[-1].get("step")) or 0
    same = len(new) < len(torn) and all((whole(e.get("step")) or 0) >= last for e in new)
    return older + new if same else torn


def entry_keys(entries: Sequence[Object]) -> list[bytes]:
    """One key an entry, equal for equal entries."""
    # Digests: the serialiser's own results hold on to a kilobyte each.
    return [blake2b(_written(entry), digest_size=16).digest() for entry in entries]


def _written(entry: Object) -> bytes:
    try:
        return orjson.dumps(entry)
    except TypeError:
        pass  # lone surrogates, or nested more deeply than this writes
    try:
        return ascii(entry).encode()
    except RecursionError:
        return ascii(sorted(entry)).encode()


def _strays(best: State, files: Sequence[Path], read: set[Path], top: Path) -> Iterator[Notice]:
    """Entries of older states that the newest does not have: an attempt that was overwritten."""
    held: set[bytes] | None = None
    newest: bytes | None = None
    for path in files:
        if path == best.path:
            continue
        try:
            newest = best.path.read_bytes() if newest is None else newest
            older = path.read_bytes()
        except OSError:
            continue
        if path not in read and _begins_alike(newest, older):
            continue
        held = set(entry_keys(best.entries)) if held is None else held
        entries = parse_state(older, path, "").entries
        missing = sum(key not in held for key in entry_keys(entries))
        if missing:
            text = (
                f"{plural(missing, 'entry', 'entries')} of it are not in the newest state: "
                "of an attempt that was overwritten, left out"
            )
            yield Notice("skipped", _label(path, top), text)


def _begins_alike(newest: bytes, older: bytes) -> bool:
    """Whether the history of an older file is, byte for byte, the beginning of the newest's."""
    here, there = HISTORY.search(newest), HISTORY.search(older)
    if not here or not there:
        return False
    a = np.frombuffer(newest, np.uint8)[here.end() :]
    b = np.frombuffer(older, np.uint8)[there.end() :]
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    common = int(differ[0]) if len(differ) else n
    return older[there.end() + common :].lstrip()[:1] == b"]"
