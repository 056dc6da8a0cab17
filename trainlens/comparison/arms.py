"""Which runs belong to one side of a comparison, and which seed each of them has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from trainlens import words
from trainlens.comparison.model import Arm
from trainlens.comparison.settings import is_label, is_seed, said_value
from trainlens.errors import UsageError
from trainlens.leaves import leaves
from trainlens.run import Run

UNSET = "not set"
"""In the name of an arm whose runs lack the setting that they are grouped by."""
_SPELT = re.compile(
    r"[._\-/ (\[]?(?<![A-Za-z])(?<!val[._\-/ ])(?:rand(?:om)?[_-]?)?seed[=_\-: ]?(\d+)[)\]]?",
    re.IGNORECASE,
)
_SHORT = re.compile(r"[._\-/](?:s|rs|sd)=?(\d{1,6})(?=$|[._\-/])")
_FOLDER = re.compile(r"[/\\](\d{1,6})(?=$|[/\\])")
_MARKS = (_SPELT, _SHORT, _FOLDER)
"""How a seed stands in the name of a run, the clearest first: ``seed3``, ``_s3``, ``/3/``."""
_NUMBERED = re.compile(
    r"[._\-/ ](?:run|rep|replica|replicate|repeat|trial|try|result|version|fold)[._\- ]?"
    r"\d+(?:[-_.T:]\d+)*(?=$|[._\-/])",
    re.IGNORECASE,
)
"""A repetition that is numbered without being called a seed: no reason to pair."""
_PAIRS = 3
"""Fewer pairs than this are no reason to pair."""


def arm(name: str, runs: Sequence[Run]) -> Arm:
    """One side of a comparison, with the seeds of its runs.

    Parameters
    ----------
    name : str
    runs : sequence of Run
        At least one.

    Raises
    ------
    UsageError
        There is no run.
    """
    if not runs:
        raise UsageError(f"{name}: no run to compare")
    return Arm(name, tuple(runs), seeds_of(runs))


def arms_of(sides: Sequence[tuple[str, Sequence[Run]]]) -> tuple[Arm, ...]:
    """The sides of a comparison, a path each: one run is itself, several are seeds of one side.

    Parameters
    ----------
    sides : sequence of (name, runs)
        `name` is what a side of several runs is called, such as its folder.

    Returns
    -------
    tuple of Arm, in this order
        No two of the same name: a later one gets a number.
    """
    made = [arm(runs[0].name if len(runs) == 1 else name, runs) for name, runs in sides]
    return tuple(unique(made))


def grouped(runs: Sequence[Run], key: str) -> tuple[Arm, ...]:
    r"""Runs that have the same value of a setting, or the same name but for the seed.

    Parameters
    ----------
    runs : sequence of Run
    key : str
        Dotted name of a setting (its last parts are enough: ``lr`` for ``optimizer.lr``); ``name``
        for the name of a run without its seed or number; ``name:REGEX`` for the one group of a
        regular expression in it, such as ``name:^(.*)_s\d+$``.

    Returns
    -------
    tuple of Arm
        Ascending by number where all values are numbers, else in the order of their first runs;
        runs without the setting last.

    Raises
    ------
    UsageError
        There is no such setting, all runs have the same value, or the expression does not fit.
    """
    what, separator, pattern = key.partition(":")
    if what == "name":
        values: list[Any] = (
            [_by_pattern(run, pattern) for run in runs] if separator else _stems(runs)
        )
        short = ""
    else:
        full = _resolved(runs, key)
        values = [dict(leaves(run.config)).get(full) for run in runs]
        short = full.rsplit(".", 1)[-1]
    groups: dict[str, list[Run]] = {}
    known: dict[str, Any] = {}
    for run, value in zip(runs, values, strict=True):
        said = said_value(value)
        groups.setdefault(said, []).append(run)
        known.setdefault(said, value)
    if len(groups) < 2:
        raise UsageError(_alike(runs, key, next(iter(groups), "")))
    order = sorted(groups, key=lambda said: _rank(known[said], list(known.values())))
    return tuple(unique([arm(_called(short, said, known[said]), groups[said]) for said in order]))


def _called(short: str, said: str, value: Any) -> str:
    told = words.shortened(said)
    if not short:
        return told
    return f"{short} {UNSET}" if value is None else f"{short}={told}"


def _rank(value: Any, values: list[Any]) -> tuple[bool, float]:
    numbers = [v for v in values if v is not None]
    if value is None:
        return True, 0.0
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
        return False, float(value)
    return False, 0.0


def _resolved(runs: Sequence[Run], key: str) -> str:
    """The full dotted name that a name means."""
    held = list(dict.fromkeys(name for run in runs for name, _ in leaves(run.config)))
    if key in held:
        return key
    folded = key.casefold()
    near = [n for n in held if f".{n.casefold()}".endswith(f".{folded}")]
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(
            f"several settings are called {key!r}: {', '.join(near)}; name one in full"
        )
    if not held:
        raise UsageError(
            f"cannot group by {key!r}: none of the runs has a configuration in its log; "
            "group by their names with 'name' or 'name:REGEX'"
        )
    raise UsageError(f"no run has a setting {key!r}; {_there(runs, key, held)}")


def _there(runs: Sequence[Run], key: str, held: Sequence[str]) -> str:
    differing = _differing(runs)
    told = words.nearest(key, held)
    if told.startswith("there are"):
        shown = differing or list(held)
        more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
        which = "that differ" if differing else "(none differs)"
        told = f"settings {which}: {', '.join(shown[:12])}{more}"
    return told


def _differing(runs: Sequence[Run]) -> list[str]:
    """Settings that are not the same in all runs, without seeds and labels."""
    held = [{n: said_value(v) for n, v in leaves(run.config)} for run in runs]
    names = dict.fromkeys(name for one in held for name in one)
    return [
        name
        for name in names
        if len({one.get(name) for one in held}) > 1 and not is_seed(name) and not is_label(name)
    ]


def _alike(runs: Sequence[Run], key: str, said: str) -> str:
    count = words.plural(len(runs), "run")
    head = f"nothing to compare: all {count} have {key} = {words.shortened(said)}"
    differing = _differing(runs)
    return f"{head}; settings that differ: {', '.join(differing[:12])}" if differing else head


def _by_pattern(run: Run, pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
    if compiled.groups != 1:
        raise UsageError(
            f"{pattern!r} has {words.plural(compiled.groups, 'group')}; it needs one pair of "
            "parentheses around what the runs of an arm have in common"
        )
    found = compiled.search(run.name)
    if found is None:
        raise UsageError(f"{pattern!r} does not fit the run {run.name!r}")
    return found[1] or ""


def _stems(runs: Sequence[Run]) -> list[str]:
    """Names without the seed."""
    return [_stem(run.name) for run in runs]


def _stem(name: str) -> str:
    for mark in (*_MARKS, _NUMBERED):
        rest, found = mark.subn("", name)
        if found and rest.strip("._-/ "):
            return rest.strip("._-/ ")
    return name


def unique(arms: Sequence[Arm]) -> Iterator[Arm]:
    """The arms, a number behind a name that an earlier one has."""
    taken: set[str] = set()
    for one in arms:
        name, count = one.name, 1
        while name in taken:
            count += 1
            name = f"{one.name} ({count})"
        taken.add(name)
        yield one if name == one.name else replace(one, name=name)


def seeds_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """The seed of each run: from its settings (``seed``, ``GENERAL.seed``), or from its name.

    Of several settings that may be the seed, the one in which the runs differ most counts; the
    seed of the validation data is none of them.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    tuple of str, empty where a run tells none
    """
    configs = [dict(leaves(run.config)) for run in runs]
    names = dict.fromkeys(n for held in configs for n in held if is_seed(n))
    by_depth = sorted(names, key=lambda n: n.count("."))
    columns = [tuple(_seed(held.get(name)) for held in configs) for name in by_depth]
    columns += [tuple(_marked(run, mark) for run in runs) for mark in _MARKS]
    return max(columns, key=lambda column: len(set(column) - {""}))


def _seed(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    text = said_value(value)
    return str(int(text)) if text.isdecimal() and text.isascii() else text


def _marked(run: Run, mark: re.Pattern[str]) -> str:
    """The seed in the name of a run or in the folders above it."""
    for text in (run.name, "/".join(PurePath(run.source).parts[-4:])):
        found = mark.findall(f"/{text}" if mark is _FOLDER else text)
        if found:
            return str(int(found[-1]))
    return ""


def seed_pairs(baseline: Arm, candidate: Arm) -> tuple[tuple[int, int], ...]:
    """Runs of two arms that share a seed.

    Parameters
    ----------
    baseline, candidate : Arm

    Returns
    -------
    tuple of (int, int)
        Places in the two arms. Empty with fewer than three pairs, and where less than half of
        the runs of the larger arm would be used; a seed that an arm has twice pairs with none.
    """
    first, second = (_once(a.seeds or seeds_of(a.runs)) for a in (baseline, candidate))
    pairs = tuple((first[seed], second[seed]) for seed in first if seed in second)
    most = max(len(baseline.runs), len(candidate.runs))
    return pairs if len(pairs) >= _PAIRS and 2 * len(pairs) >= most else ()


def _once(seeds: Sequence[str]) -> dict[str, int]:
    counts = Counter(seeds)
    return {seed: i for i, seed in enumerate(seeds) if seed and counts[seed] == 1}
