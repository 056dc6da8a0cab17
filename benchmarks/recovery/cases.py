"""Damaged logs with what an ideal reader returns of them."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.robustness.checks import intact, understood
from tests.robustness.formats import all_formats
from tests.robustness.mutations import damage
from tests.robustness.truth import Log, Point

FRESH = 40
"""Damaged copies of one log before the next log is written."""

Triple = tuple[str, int, float | str]
"""Name, step and value of a point."""


@dataclass(frozen=True)
class Case:
    """A damaged log.

    Parameters
    ----------
    path : Path
        What a reader is given.
    intact : Counter of Triple
        Points of the records that were not touched.
    possible : Counter of Triple
        Everything that was ever logged: whatever else comes back was invented.
    other : Counter of Triple
        Those of `intact` in runs whose files were not touched.
    headless : bool
        The names of the metrics were hit: what comes back under other names is not counted.
    """

    path: Path
    intact: Counter[Triple]
    possible: Counter[Triple]
    other: Counter[Triple]
    headless: bool = False


def triple(point: Point) -> Triple:
    """A point without its split, which peers do not know."""
    return point.name, point.step, point.value


def damaged(name: str, count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Damaged copies of small logs of a format, each in a folder of its own.

    Parameters
    ----------
    name : str
        Module of `tests.robustness.formats`.
    count : int
    seed : int
    folder : Path
        Where they are written; what lies there stays until the caller removes it.
    """
    for number in range(count):
        if number % FRESH == 0:
            log, other = _logs(name, f"{seed} {number // FRESH}", folder / "model")
        rng = random.Random(f"{name} {seed} {number}")
        which = rng.randrange(len(log.files)) if log.costly else 0
        file = log.files[which]
        place = folder / f"{number:05}"
        shutil.copytree(folder / "model" / "a", place)
        _, now = damage(rng, file, other.files[which].data)
        (place / file.name).write_bytes(now.data)
        if log.costly:
            yield _of_repository(log, file.run, place)
            continue
        held = (file.records, other.files[which].records)
        places = intact(held, now, file.kind == "lines")
        known = [record for at, record in places if understood(held, places, at, record)]
        whole = Counter(triple(p) for record in known for p in record.points)
        possible = Counter(triple(p) for records in held for r in records for p in r.points)
        headless = len(known) < len(places)
        yield Case(place / log.path, whole, possible, Counter(), headless)


def _logs(name: str, seed: str, folder: Path) -> tuple[Log, Log]:
    module = all_formats()[name]
    found = []
    for which in "ab":
        place = folder / which
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        found.append(module.write(place, random.Random(f"{seed} {which}")))
        if found[0].costly:
            return found[0], found[0]
    return found[0], found[1]


def _of_repository(log: Log, hurt: str, place: Path) -> Case:
    points = {key: Counter(map(triple, held)) for key, held in log.whole.items()}
    everything: Counter[Triple] = sum(points.values(), Counter())
    other: Counter[Triple] = sum((c for key, c in points.items() if key != hurt), Counter())
    return Case(place / log.path, everything, everything, other)
