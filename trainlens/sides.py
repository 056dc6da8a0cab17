"""The sides of a comparison: which runs of which paths stand together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.comparison.model import Arm
    from trainlens.readers import Survey
    from trainlens.run import Run

Arms = Callable[[Sequence["Run"]], "tuple[Arm, ...]"]
"""Makes sides of runs, the baseline first."""
_WAYS = (
    "name a baseline and a candidate, or say with --group-by KEY which setting tells the runs apart"
)
_MORE = "name it among the paths, and those that it is compared with"
_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Side:
    """The runs of one side, before they are read.

    Parameters
    ----------
    path : str
        That they lie in.
    places : tuple of int
        Of its runs among those of a survey.
    """

    path: str
    places: tuple[int, ...]


def by_path(
    survey: Survey, paths: Sequence[str], baseline: str = ""
) -> tuple[tuple[Side, ...], bool]:
    """A side for each path; a path that the baseline lies in is split where that lies.

    So ``runs`` with the baseline ``runs/old`` has a side for each file and folder in ``runs``.

    Parameters
    ----------
    survey : Survey
        Of all these paths.
    paths : sequence of str
        As they were given.
    baseline : str
        One of them, its last part, or a file or folder within one (from here, or from that path).
        Anything else leaves the paths as they are.

    Returns
    -------
    sides : tuple of Side
    found : bool
        Whether the baseline is one of them; it is the first then.

    Raises
    ------
    UsageError
        A run in two of the paths.
    SourceError
        A path without a run.
    """
    sides = _of_paths(survey, paths)
    chosen = _named(sides, baseline)
    if chosen is None and baseline:
        for place, side in enumerate(sides):
            parts, chosen = _split(survey, side, baseline)
            if chosen is not None:
                sides[place : place + 1] = parts
                break
    return tuple(sorted(sides, key=lambda side: side is not chosen)), chosen is not None


def enough(sides: Sequence[Side], survey: Survey, path: str, baseline: str = "") -> None:
    """Stop where there is one side only.

    Raises
    ------
    UsageError
    """
    if len(sides) > 1:
        return
    if baseline:
        raise UsageError(f"--baseline {baseline}: {path} is no second side to it; {_WAYS}")
    count = words.plural(len(survey), "run")
    raise UsageError(f"{path}: one path with {count} is nothing to compare; {_WAYS}")


def _of_paths(survey: Survey, paths: Sequence[str]) -> list[Side]:
    from trainlens.readers import discover

    if len(paths) == 1:
        return [Side(paths[0], tuple(range(len(survey))))]
    place = {(s.path, s.key): i for i, s in enumerate(survey.sources)}
    sides: list[Side] = []
    taken: dict[int, str] = {}
    for path in paths:
        found = [place[s.path, s.key] for s in discover(path) if (s.path, s.key) in place]
        twice = next((i for i in found if i in taken), None)
        if twice is not None or not found:
            other = taken[twice] if twice is not None else "another path"
            raise UsageError(f"{path}: its run is in {other}, too; name every run once")
        taken |= dict.fromkeys(found, path)
        sides.append(Side(path, tuple(found)))
    return sides


def _named(sides: Sequence[Side], baseline: str) -> Side | None:
    """The side that is called so: by its path, or by the last part of it."""
    if not baseline:
        return None
    whole = os.path.abspath(baseline)
    for side, name in zip(sides, called([side.path for side in sides]), strict=True):
        if baseline in (side.path, name) or whole == os.path.abspath(side.path):
            return side
    return None


def _split(survey: Survey, side: Side, baseline: str) -> tuple[list[Side], Side | None]:
    """The files and folders of a path that lie as deep as the baseline, and the one it is."""
    root = _root(side.path)
    for wanted in (Path(os.path.abspath(baseline)), root / baseline):
        if root not in wanted.parents:
            continue
        depth = len(wanted.relative_to(root).parts)
        held: dict[Path, list[int]] = {}
        for place in side.places:
            held.setdefault(_cut(survey.sources[place].path, root, depth), []).append(place)
        if wanted in held:
            parts = {at: Side(os.path.relpath(at), tuple(found)) for at, found in held.items()}
            return list(parts.values()), parts[wanted]
    return [], None


def _root(path: str) -> Path:
    """The folder of a path, of a pattern that before its first wildcard."""
    parts = Path(os.path.abspath(os.path.expanduser(path))).parts
    fixed = next((i for i, part in enumerate(parts) if _WILD & set(part)), len(parts))
    return Path(*parts[:fixed])


def _cut(source: Path, root: Path, depth: int) -> Path:
    """The file or folder, so deep below a root, in which a run lies."""
    whole = Path(os.path.abspath(source))
    if root not in whole.parents:
        return whole
    return Path(root, *whole.relative_to(root).parts[:depth])


def arms(sides: Sequence[Side], names: Sequence[str], runs: Mapping[str, Run]) -> tuple[Arm, ...]:
    """Sides with their runs: one run is itself, several are seeds of one configuration.

    Parameters
    ----------
    sides : sequence of Side
    names : sequence of str
        Of all runs of the survey.
    runs : mapping of name to Run
        Those that could be read.

    Raises
    ------
    UsageError
        Of a side no run could be read.
    """
    from trainlens.comparison.arms import arms_of

    made = []
    for side, name in zip(sides, called([side.path for side in sides]), strict=True):
        own = [runs[names[i]] for i in side.places if names[i] in runs]
        if not own:
            raise UsageError(f"{side.path}: its runs cannot be read; `trainlens ls` says why")
        made.append((name, own))
    return arms_of(made)


def called(paths: Sequence[str]) -> Iterator[str]:
    """What a path of several runs is called: its last part where that is enough."""
    from trainlens.remote.url import public

    shown = [public(path).rstrip("/" + os.sep) or path for path in paths]
    short = [PurePath(path).name or path for path in shown]
    for name, path in zip(short, shown, strict=True):
        yield name if short.count(name) == 1 and not set(name) & _WILD else path


def first(sides: Sequence[Arm], name: str) -> tuple[Arm, ...]:
    """The sides with the one of a name before all others.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if not name:
        return tuple(sides)
    found = [one for one in sides if one.name == name]
    found = found or [one for one in sides if one.name.rpartition("=")[2] == name]
    if not found:
        hint = words.nearest(name, [one.name for one in sides])
        raise UsageError(f"--baseline {name}: there is no such side of the comparison; {hint}")
    return (found[0], *(one for one in sides if one is not found[0]))


def by_setting(key: str, baseline: str, runs: Sequence[Run]) -> tuple[Arm, ...]:
    """A side for each value of a setting; see `trainlens.comparison.arms.grouped`.

    Raises
    ------
    UsageError
        There is no such setting, all runs have one value, or none has that of the baseline.
    """
    from trainlens.comparison.arms import grouped

    return first(grouped(runs, key), baseline)


def by_run(baseline: str, runs: Sequence[Run]) -> tuple[Arm, ...]:
    """A side for each run.

    Raises
    ------
    UsageError
        No such run, or no other one.
    """
    from trainlens.comparison.arms import arms_of

    names = [run.name for run in runs]
    if baseline not in names:
        raise UsageError(f"{baseline}: no such run; {words.nearest(baseline, names)}")
    if len(runs) < 2:
        raise UsageError(f"nothing to compare: there is no other run than {baseline}")
    return first(arms_of([(run.name, [run]) for run in runs]), baseline)


def by_name(baseline: str, group_by: str) -> Arms | None:
    """How runs become sides that are known by their names alone, None where nothing is compared.

    Parameters
    ----------
    baseline : str
        Of a run, or with `group_by` of a side.
    group_by : str
        A setting.
    """
    if group_by:
        return partial(by_setting, group_by, baseline)
    return partial(by_run, baseline) if baseline else None


def sides_of(
    survey: Survey, paths: Sequence[str], *, baseline: str = "", group_by: str = ""
) -> Arms | None:
    """How the runs of a report become sides, None where nothing is compared.

    Parameters
    ----------
    survey : Survey
    paths : sequence of str
        That it is of.
    baseline : str
        Name of a run: every run is a side. Else as of `by_path`, or with `group_by` the name of
        one of its sides.
    group_by : str
        A setting, as of `trainlens.comparison.arms.grouped`.

    Raises
    ------
    UsageError
        There is no such run, path or other side; found out before any run is read.
    """
    if not baseline and not group_by:
        return None
    if len(survey) < 2:
        asked = f"--baseline {baseline}" if baseline else f"--group-by {group_by}"
        raise UsageError(f"{asked}: there is no other run to compare it with")
    if group_by or baseline in survey.names:
        return by_name(baseline, group_by)
    sides, found = by_path(survey, paths, baseline)
    if not found:
        raise UsageError(f"--baseline {baseline}: {_not_among(survey, sides, baseline)}")
    if len(sides) < 2:
        raise UsageError(f"--baseline {baseline}: nothing beside it to compare it with; {_MORE}")
    return partial(_of_survey, sides, tuple(survey.names))


def _of_survey(sides: Sequence[Side], names: Sequence[str], runs: Sequence[Run]) -> tuple[Arm, ...]:
    return arms(sides, names, {run.name: run for run in runs})


def _not_among(survey: Survey, sides: Sequence[Side], baseline: str) -> str:
    if os.path.lexists(baseline):
        return f"none of the runs lies there; {_MORE}"
    known = [*survey.names, *(side.path for side in sides)]
    return f"no such run or path; {words.nearest(baseline, known)}"
