"""Files that grow, are torn, cut, replaced, moved and packed, one action at a time."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

MOST_WRITERS = 8

GROWTH = {"append": 10, "many": 1, "tear": 6, "finish": 3, "restart": 2}
UPHEAVAL = {"truncate": 1, "replace": 1, "away": 1, "back": 2}


class Op(NamedTuple):
    """A write: the file is cut to `keep` bytes (None: stays as it is), `data` goes behind."""

    path: str
    data: bytes
    keep: int | None = None


class Writer(Protocol):
    """A training that writes one or more files; it knows what they hold."""

    def begin(self) -> list[Op]:
        """What stands before the first record."""
        ...

    def record(self, step: int) -> list[Op]:
        """The writes of one record."""
        ...


@dataclass(frozen=True)
class Kind:
    """A way in which a format is written.

    Parameters
    ----------
    writer : callable
        Given the number of a training and the number of the writer in the folder.
    several : bool
        Several writers side by side are one run.
    packs : bool
        A file may be packed with gzip, and then grow by members.
    crashes : bool
        A record may stay torn for ever, and others follow it.
    ordered : bool
        A series has one writer, so that its order is certain.
    documents : bool
        Files that are written anew as a whole: an empty one is none.
    without : frozenset of str
        What does not happen to it.
    late : str
        Why a poll may lack what a last poll gives although every record is complete; empty where
        it may not.
    world : callable, optional
        Makes what a folder of this kind lives through, given the folder and the kind.
    many : int
        Records that are written at most at once.
    cost : int
        One schedule in so many is run: writing or reading it is slow.
    """

    writer: Callable[[int, int], Writer] | None = None
    several: bool = False
    packs: bool = False
    crashes: bool = False
    ordered: bool = True
    documents: bool = False
    without: frozenset[str] = frozenset()
    late: str = ""
    world: Callable[[Path, Kind], Life] | None = None
    many: int = 80
    cost: int = 1


class Life(Protocol):
    """What a watched folder lives through."""

    path: Path

    @property
    def verbs(self) -> dict[str, int]:
        """What can happen here, with weights."""
        ...

    @property
    def complete(self) -> bool:
        """Whether everything is there, and every byte belongs to a complete record."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether the order of points is certain."""
        ...

    def do(self, verb: str, rng: random.Random) -> None:
        """Make something happen; what is impossible now does not happen."""
        ...


@dataclass
class Training:
    """A writer with its step, its files, and what it has not written yet."""

    number: int
    writer: Writer
    zipped: bool = False
    step: int = 0
    torn: bool = False
    made: set[str] = field(default_factory=set)
    rest: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue(self.writer.begin())

    def go_on(self) -> None:
        """Have one more record to write."""
        self.step += 1
        self.queue(self.writer.record(self.step))

    def queue(self, ops: Iterable[Op]) -> None:
        """Have something to write."""
        if self.zipped:
            ops = [Op(op.path + ".gz", gzip.compress(op.data, mtime=0)) for op in ops]
        self.rest += ops


class World:
    """A folder of files that trainings write.

    Parameters
    ----------
    folder : Path
        Empty.
    kind : Kind
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.path = folder / "watched"
        self.path.mkdir()
        self._other = folder / "elsewhere"
        self._root = self.path
        self._kind = kind
        self._runs = 0
        self._clock = 1_700_000_000
        self._hurt: set[int] = set()
        self._trainings = [self._new(0)]

    @property
    def verbs(self) -> dict[str, int]:
        """What can happen here, with weights."""
        found = {**GROWTH, **UPHEAVAL}
        found |= {"join": 2, "touch": 1} if self._kind.several else {}
        found |= {"pack": 1} if self._kind.packs else {}
        found |= {"crash": 1} if self._kind.crashes else {}
        return {verb: found[verb] for verb in found if verb not in self._kind.without}

    @property
    def complete(self) -> bool:
        """Whether everything is there, and every byte belongs to a complete record."""
        whole = not any(t.torn for t in self._trainings)
        if self._kind.documents:
            made = [self._root / name for t in self._trainings for name in t.made]
            whole = whole and all(path.stat().st_size for path in made)
        return whole and self._root == self.path and not self._hurt

    @property
    def ordered(self) -> bool:
        """Whether the order of points is certain."""
        return self._kind.ordered or len(self._trainings) == 1

    def do(self, verb: str, rng: random.Random) -> None:
        """Make something happen; what is impossible now does not happen."""
        self._clock += 1
        getattr(self, f"_{verb}")(rng.choice(self._trainings), rng)

    def _new(self, number: int, zipped: bool = False) -> Training:
        self._runs += 1
        assert self._kind.writer is not None
        return Training(number, self._kind.writer(self._runs, number), zipped)

    def _append(self, t: Training, rng: random.Random, most: int = 4) -> None:
        for _ in range(rng.randint(1, most)):
            t.go_on()
        self._write(t)

    def _many(self, t: Training, rng: random.Random) -> None:
        self._append(t, rng, self._kind.many)

    def _tear(self, t: Training, rng: random.Random) -> None:
        if not t.rest:
            t.go_on()
        self._write(t, rng.randrange(1 + sum(len(op.data) for op in t.rest)))

    def _finish(self, t: Training, rng: random.Random) -> None:
        self._write(t)

    def _crash(self, t: Training, rng: random.Random) -> None:
        """The writer dies over a record; another goes on behind its bytes."""
        if t.torn and t.step:
            self._hurt.add(t.number)
            t.torn, t.rest = False, []

    def _restart(self, t: Training, rng: random.Random) -> None:
        """A training goes on in the same file from an earlier step."""
        self._write(t)
        t.step = rng.randrange(t.step + 1)

    def _truncate(self, t: Training, rng: random.Random) -> None:
        """Another run into the same file, which is the same on disk."""
        for name in t.made:
            self._put(Op(name, b"", 0))
        self._take_over(t, rng)

    def _replace(self, t: Training, rng: random.Random) -> None:
        """Another run in another file under the same name."""
        root, self._root = self._root, self._other / "stage"
        new = self._take_over(t, rng)
        self._root = root
        for name in sorted(new.made | t.made):
            staged = self._other / "stage" / name
            if staged.exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                staged.replace(root / name)
            else:
                (root / name).unlink()

    def _take_over(self, t: Training, rng: random.Random) -> Training:
        new = self._new(t.number, t.zipped)
        self._hurt.discard(t.number)
        self._trainings[self._trainings.index(t)] = new
        for _ in range(rng.randrange(4)):
            new.go_on()
        self._write(new)
        return new

    def _away(self, t: Training, rng: random.Random) -> None:
        """Everything is moved away; who writes goes on there."""
        if self._root == self.path:
            self._move(self._other / "away")

    def _back(self, t: Training, rng: random.Random) -> None:
        if self._root != self.path:
            self._move(self.path)

    def _move(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        for entry in sorted(self._root.iterdir()):
            entry.rename(place / entry.name)
        self._root = place

    def _join(self, t: Training, rng: random.Random) -> None:
        self._new_writer()

    def _new_writer(self) -> Training | None:
        if len(self._trainings) == MOST_WRITERS:
            return None
        self._trainings.append(self._new(len(self._trainings)))
        return self._trainings[-1]

    def _touch(self, t: Training, rng: random.Random) -> None:
        """A file is begun with 0 bytes."""
        if new := self._new_writer():
            if not new.rest:
                new.go_on()
            self._put(new.rest[0]._replace(data=b""))
            new.made.add(new.rest[0].path)

    def _pack(self, t: Training, rng: random.Random) -> None:
        """The file is packed; what comes is packed as well, and put behind."""
        self._write(t)
        if t.zipped:
            return
        t.zipped = True
        for name in sorted(t.made):
            plain = self._root / name
            self._put(Op(f"{name}.gz", gzip.compress(plain.read_bytes(), mtime=0)))
            plain.unlink()
        t.made = {f"{name}.gz" for name in t.made}

    def _write(self, t: Training, size: int | None = None) -> None:
        """Write what waits, or so many bytes of it."""
        left = sum(len(op.data) for op in t.rest) if size is None else size
        while t.rest and (left > 0 or size is None):
            op, *t.rest = t.rest
            data, rest = op.data[:left], op.data[left:]
            self._put(op._replace(data=data))
            t.made.add(op.path)
            t.torn = True
            left -= len(data)
            t.rest = [Op(op.path, rest), *t.rest] if rest else t.rest
        t.torn = t.torn and bool(t.rest)

    def _put(self, op: Op) -> None:
        path = self._root / op.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(0, os.SEEK_END)
            if op.keep is not None:
                file.seek(op.keep)
                file.truncate()
            file.write(op.data)
        os.utime(path, (self._clock, self._clock))
