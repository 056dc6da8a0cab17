"""The sides of a comparison: which run of which path stands where."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.comparison.model import Arm
    from trainlens.place import Place
    from trainlens.readers import Survey
    from trainlens.run import Run
    from trainlens.settings import Meaning

_WAYS = (
    "name a baseline and a candidate, or say with --group-by KEY which setting tells the runs apart"
)


def surveyed(paths: Sequence[str], *, cache: bool, one: bool) -> tuple[Survey, list[list[int]]]:
    """What lies in the paths, and which of the runs each of them holds.

    Parameters
    ----------
    paths : sequence of str
    cache : bool
    one : bool
        Whether a single path can be compared with itself: its runs are told apart otherwise.

    Raises
    ------
    UsageError
        A single path, or a run in two of them.
    SourceError
        A path without a run.
    """
    from trainlens.readers import Survey, discover

    survey = Survey(*paths, cache=cache)
    if one:
        return survey, [list(range(len(survey)))]
    if len(paths) < 2:
        count = words.plural(len(survey), "run")
        raise UsageError(f"{paths[0]}: one path with {count} is nothing to compare; {_WAYS}")
    place = {(s.path, s.key): i for i, s in enumerate(survey.sources)}
    held: list[list[int]] = []
    taken: dict[int, str] = {}
    for path in paths:
        found = [place[s.path, s.key] for s in discover(path) if (s.path, s.key) in place]
        twice = next((i for i in found if i in taken), None)
        if twice is not None or not found:
            other = taken[twice] if twice is not None else "another path"
            raise UsageError(f"{path}: its run is in {other}, too; name every run once")
        taken |= dict.fromkeys(found, path)
        held.append(found)
    return survey, held


def read(survey: Survey, meanings: Sequence[Meaning], place: Place) -> dict[str, Run]:
    """All runs of a survey that can be read, by name, with what their metrics mean."""
    from trainlens.cli._say import ticking
    from trainlens.place import engine_for

    with engine_for(survey, place) as engine:
        runs = survey.each(partial(_meant, tuple(meanings)), engine)
        return {run.name: run for run in ticking(runs, len(survey))}


def _meant(meanings: tuple[Meaning, ...], run: Run) -> Run:
    from trainlens.settings import with_meanings

    return with_meanings(run, meanings)[0]


def arms(
    paths: Sequence[str], survey: Survey, held: Sequence[Sequence[int]], runs: dict[str, Run]
) -> tuple[Arm, ...]:
    """A side for each path: its run, or its runs as seeds of one configuration.

    Raises
    ------
    UsageError
        Of a path no run could be read.
    """
    from trainlens.comparison.arms import arms_of

    sides = []
    for path, name, places in zip(paths, _called(paths), held, strict=True):
        own = [runs[survey.names[i]] for i in places if survey.names[i] in runs]
        if not own:
            raise UsageError(f"{path}: its runs cannot be read; `trainlens ls` says why")
        sides.append((name, own))
    return arms_of(sides)


def _called(paths: Sequence[str]) -> Iterator[str]:
    """What a path of several runs is called: its last part where that is enough."""
    from trainlens.remote.url import public

    shown = [public(path).rstrip("/" + os.sep) or path for path in paths]
    short = [PurePath(path).name or path for path in shown]
    for name, path in zip(short, shown, strict=True):
        yield name if short.count(name) == 1 and not set(name) & set("*?[") else path


def first(sides: Sequence[Arm], name: str) -> tuple[Arm, ...]:
    """The sides with the one of a name before all others.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if not name:
        return tuple(sides)
    found = [one for one in sides if name in (one.name, one.name.rpartition("=")[2])]
    if not found:
        hint = words.nearest(name, [one.name for one in sides])
        raise UsageError(f"--baseline {name}: there is no such side of the comparison; {hint}")
    return (found[0], *(one for one in sides if one is not found[0]))
