"""What rank 0 says of the other ranks when it ends, found in their files alone.

No collective is called: in the end of a training some ranks may be gone, and it would hang.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from trainlens_torch.record.entry import Entry

__all__ = ["SCHEMA", "Member", "RollCall", "members", "note"]

SCHEMA = "trainlens.ranks/1"
_TAIL = 1 << 20
_POLL = 0.05
_SKEW = 60.0  # seconds by which the clocks of machines differ
_GAPS = 2.0
"""A rank is behind when it lacks more than so many of its usual gaps between two records."""


@dataclass(frozen=True)
class Member:
    """The end of the log of one rank.

    Parameters
    ----------
    rank : int
    file : str
    steps : tuple of int
        Of the training records at the end of its file, in order; none if it has logged nothing.
    time : float or None
        Of the last of them, in Unix seconds.
    values : mapping
        Losses and stats of each of these steps.
    faults : mapping of str to int
        Kinds of the anomalies among them, and how often.
    """

    rank: int
    file: str
    steps: tuple[int, ...]
    time: float | None
    values: Mapping[int, Mapping[str, float]]
    faults: Mapping[str, int]

    def behind(self, other: Member) -> int:
        """Steps that it lacks of another, 0 where they are no more than its usual gap."""
        if not other.steps:
            return 0
        lacks = other.steps[-1] - (self.steps[-1] if self.steps else -1)
        return lacks if lacks > _GAPS * max(_gap(self.steps), _gap(other.steps)) else 0


class RollCall:
    """The summary of all ranks, when the log of rank 0 ends.

    Where there are files of other ranks beside its own, it writes ``log.ranks.json`` (see `note`).

    Parameters
    ----------
    file : Path
        Native log of rank 0.
    world : int or None
        Number of ranks, where it is known.
    clock, ticks, sleep : callable
    patience : float
        Seconds to wait at most for ranks that are behind: they write a moment later.
    """

    def __init__(
        self,
        file: Path,
        world: int | None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = 1.0,
    ) -> None:
        self._file, self._world = file, world
        self._clock, self._ticks, self._sleep = clock, ticks, sleep
        self._patience = patience

    def __call__(self, began: float) -> Entry | None:
        """Write the summary; an entry with an anomaly for each rank that is behind.

        Parameters
        ----------
        began : float
            Unix seconds; what was logged before is of another attempt.

        Raises
        ------
        OSError
            The summary cannot be written.
        """
        found = self._settled(began - _SKEW)
        if len(found) < 2:
            return None
        missing = sorted(set(range(self._world or 0)) - {member.rank for member in found})
        beside = self._file.with_name(f"{self._file.stem}.ranks.json")
        _put(beside, json.dumps(note(found, missing, self._clock()), indent=1) + "\n")
        odd = tuple(_odd(found))
        return Entry(found[0].steps[-1], self._clock(), {}, {}, anomalies=odd) if odd else None

    def _settled(self, began: float) -> list[Member]:
        """All ranks, after those that are behind had a moment to write what they have."""
        end = self._ticks() + self._patience
        found = members(self._file, self._world, began)
        while any(one.behind(found[0]) for one in found) and self._ticks() < end:
            self._sleep(_POLL)
            found = members(self._file, self._world, began)
        return found


def members(file: Path, world: int | None = None, began: float = 0.0) -> list[Member]:
    """The ranks that have a log beside that of rank 0, in order.

    Parameters
    ----------
    file : Path
        Native log of rank 0.
    world : int or None
        Number of ranks: files of others are left from another training. Where it is not known,
        those that hold nothing since `began` are left out.
    began : float
        Unix seconds; records before it are not looked at.
    """
    name = re.compile(rf"{re.escape(file.stem)}\.rank(\d+){re.escape(file.suffix)}")
    ranks = {int(hit[1]): hit[0] for hit in map(name.fullmatch, os.listdir(file.parent)) if hit}
    found = [
        _member(rank, file.with_name(beside), began)
        for rank, beside in sorted(ranks.items())
        if rank < (world or rank + 1)
    ]
    return [_member(0, file, began), *(one for one in found if world or one.steps)]


def note(found: Sequence[Member], missing: Sequence[int], now: float) -> dict[str, Any]:
    """The summary of all ranks as JSON.

    ``metrics`` holds what every rank logged at ``at_step``, the last step that all of them have:
    least, mean and greatest value, and the ranks of the first and the last. A NaN of one rank
    makes all of them NaN.

    Parameters
    ----------
    found : sequence of Member
    missing : sequence of int
        Ranks without a file.
    now : float
        Unix seconds.
    """
    logged = [member for member in found if member.steps]
    common = set.intersection(*(set(one.steps) for one in logged)) if logged else set()
    at = max(common, default=None)
    return {
        "schema": SCHEMA,
        "time": now,
        "ranks": [
            {
                "rank": one.rank, "file": one.file, "last_step": max(one.steps[-1:], default=None),
                "time": one.time, "behind": one.behind(found[0]), "anomalies": dict(one.faults),
            }
            for one in found
        ],
        "missing": list(missing),
        "at_step": at,
        "metrics": {} if at is None else _spread({one.rank: one.values[at] for one in logged}),
    }  # fmt: skip


def _spread(values: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    first, *others = values.values()
    found = {}
    for name in first:
        if all(name in other for other in others):
            by_rank = {rank: given[name] for rank, given in values.items()}
            odd = [value for value in by_rank.values() if value != value]
            least, most = (odd[:1] * 2) or (min(by_rank.values()), max(by_rank.values()))
            found[name] = {
                "min": least, "mean": sum(by_rank.values()) / len(by_rank), "max": most,
                "min_rank": _whose(by_rank, least), "max_rank": _whose(by_rank, most),
            }  # fmt: skip
    return found


def _whose(by_rank: Mapping[int, float], value: float) -> int:
    return next(rank for rank, own in by_rank.items() if own == value or own != own)


def _odd(found: Sequence[Member]) -> Iterator[dict[str, Any]]:
    for one in found:
        if lacks := one.behind(found[0]):
            end = f"ended at step {one.steps[-1]}" if one.steps else "logged nothing"
            message = f"rank {one.rank} ({one.file}) {end}, {lacks} steps before rank 0"
            yield {"type": "rank_behind", "value": float(lacks), "message": message}


def _member(rank: int, file: Path, began: float) -> Member:
    steps: list[int] = []
    values: dict[int, Mapping[str, float]] = {}
    faults: Counter[str] = Counter()
    last = None
    for record in _records(file):
        time = record.get("timestamp", 0.0)
        if time < began:
            continue
        faults.update(str(odd.get("type")) for odd in record["anomalies"] if isinstance(odd, dict))
        given = {**record["losses"], **record["stats"]}
        if given and record.get("split", "train") == "train":
            steps.append(record["step"])
            values[record["step"]] = given
            last = time
    return Member(rank, file.name, tuple(steps), last, values, dict(faults))


def _records(file: Path) -> list[dict[str, Any]]:
    """The whole records at the end of a log, however long it is."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL))
            lines = log.read(_TAIL).split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the part of a line with which the tail begins, or that a crash has cut
        if isinstance(record, dict) and {"step", "losses", "stats", "anomalies"} <= record.keys():
            found.append(record)
    return found


def _gap(steps: Sequence[int]) -> float:
    """Usual distance of two records."""
    gaps = [after - before for before, after in pairwise(steps)]
    return median(gap for gap in gaps if gap > 0) if any(gap > 0 for gap in gaps) else 1.0


def _put(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
