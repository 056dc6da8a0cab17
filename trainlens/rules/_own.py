"""Rules of other packages, which they announce as entry points of the group ``trainlens.rules``.

An entry point names a module that registers rules when it is imported. What goes wrong in a
stranger's code is said in one line, with the name of the package, and everything else goes on.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from trainlens.chunk import Notice
from trainlens.errors import UsageError
from trainlens.rules._profiles import PROFILES, ordered, profile_rules
from trainlens.rules.base import Finding, Rule, forget, inconclusive, registered
from trainlens.run import Run
from trainlens.words import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "trainlens.rules"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 200
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
Key = tuple[str, str]


@dataclass(frozen=True)
class Loaded:
    """What the installed packages brought.

    Parameters
    ----------
    owner : mapping of (profile, name) of a rule to its package
    faults : tuple of Notice
        Packages whose rules are left out, and why.
    """

    owner: Mapping[Key, str]
    faults: tuple[Notice, ...]


def installed() -> tuple[str, ...]:
    """Packages whose rules are at hand, those that a script registered by itself among them."""
    return tuple(sorted(set(_owners().values())))


def own_rules(packages: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules of these packages.

    Raises
    ------
    UsageError
        One of them is not here: a worker of a cluster lacks it.
    """
    if not packages:
        return ()
    owners = _owners()
    if missing := sorted(set(packages) - set(owners.values())):
        raise UsageError(
            f"the rules of the package {missing[0]} are not installed where the runs are read; "
            "install it there, or leave it out with --no-plugins"
        )
    known = registered()
    return tuple(known[key] for key, package in owners.items() if package in packages)


def package_of(rule: Rule) -> str:
    """The package that a rule comes from, as users know it; empty for trainlens' own."""
    return _owners().get((rule.profile, rule.name), "")


def _owners() -> dict[Key, str]:
    """The package of every rule that is not trainlens' own, as users know it."""
    announced = load().owner
    return {key: announced.get(key, r.package) for key, r in registered().items() if r.package}


@cache
def load() -> Loaded:
    """Import what the installed packages announce; a process does it once."""
    owner: dict[Key, str] = {}
    faults: list[Notice] = []
    for point in _points():
        package = point.dist.name if point.dist is not None else point.value
        before = set(registered())
        problem = _problem(point, before)
        new = {k for k, r in registered().items() if k not in before or _of(point, r)}
        new -= owner.keys()
        problem = problem or _unfit({k: registered()[k] for k in new})
        if problem:
            forget(new - before)
            faults.append(Notice("own-rules", package, f"its rules are left out: {problem}", 0))
        else:
            owner |= dict.fromkeys(new, package)
    faults += _unsatisfied(owner)
    return Loaded(owner, tuple(faults))


def _points() -> list[EntryPoint]:
    """The entry points of the group, by package and name."""
    if not any(map(_announces, sys.path)):
        return []  # `importlib.metadata` takes longer to import than a small log to judge
    from importlib.metadata import entry_points

    for profile in PROFILES:  # every name that is taken is known before a stranger's
        profile_rules(profile)
    found = entry_points(group=GROUP)
    return sorted(found, key=lambda p: (p.dist.name if p.dist is not None else "", p.name, p.value))


def _announces(folder: str) -> bool:
    try:
        held = [e.path for e in os.scandir(folder or ".") if e.name.endswith(_METADATA)]
    except OSError:
        # Of an archive on the path nothing is known before it is asked.
        return os.path.isfile(folder) and folder.endswith((".egg", ".whl"))
    return any(GROUP.encode() in _bytes(f"{path}/entry_points.txt") for path in held)


_METADATA = (".dist-info", ".egg-info")


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _of(point: EntryPoint, rule: Rule) -> bool:
    """Whether a rule that was there before belongs to the package of an entry point."""
    return bool(rule.package) and rule.package == point.module.partition(".")[0]


def _problem(point: EntryPoint, before: set[Key]) -> str:
    """Why a package cannot be imported; empty where it can."""
    try:
        importlib.import_module(point.module)
        point.load()
    # A stranger's module may raise anything; it is told, and nothing else depends on it.
    except (Exception, SystemExit) as error:
        forget(set(registered()) - before)
        return f"{point.value} cannot be imported: {told(error)}; repair or uninstall it"
    return ""


def _unfit(rules: Mapping[Key, Rule]) -> str:
    """What is wrong with the names of rules; empty where nothing is."""
    taken = {name for (_, name), r in registered().items() if not r.package}
    for profile, name in sorted(rules):
        if profile not in PROFILES:
            return f"rule {name!r} is of a profile {profile!r}; {nearest(profile, PROFILES)}"
        if not _NAME.fullmatch(name):
            return f"rule {name!r}: a name is made of small letters, digits and hyphens"
        if name in taken:
            return f"the name of its rule {name!r} is taken by trainlens; give it another name"
    return ""


def _unsatisfied(owner: dict[Key, str]) -> Iterator[Notice]:
    """Packages whose rules need others that are not there, or each other in a circle."""
    while bad := next(_needing(owner), None):
        package, problem = bad
        gone = [k for k, p in owner.items() if p == package]
        forget(gone)
        for key in gone:
            del owner[key]
        yield Notice("own-rules", package, f"its rules are left out: {problem}", 0)


def _needing(owner: Mapping[Key, str]) -> Iterator[tuple[str, str]]:
    for (profile, name), package in sorted(owner.items()):
        others = {n: r for (p, n), r in registered().items() if p in (profile, "default")}
        known = {**profile_rules(profile), **others}
        for needed in known[name].requires:
            if needed not in known:
                yield package, f"rule {name!r} requires {needed!r}; {nearest(needed, known)}"
        try:
            ordered(known)
        except KeyError:
            continue  # another package's rule lacks something: it is told of that one
        except ValueError as error:
            yield package, str(error)


def guarded(
    rule: Rule, run: Run, settings: Mapping[str, Any] | None
) -> tuple[tuple[Finding, ...], tuple[Notice, ...]]:
    """What a stranger's rule says, or one line on what it broke on, which is a notice too.

    Raises
    ------
    UsageError
        A setting that the rule does not have, or a value that it cannot have.
    """
    given = rule.settled(settings or {})
    try:
        return tuple(_sound(f) for f in rule(run, given)), ()
    # A stranger's rule may raise anything; nothing is lost but its own verdict, and that is told.
    except (Exception, SystemExit) as error:
        package = package_of(rule)
        text = f"rule {rule.name} of package {package} failed: {told(error)}"
        notice = Notice("own-rules", package, f"{text}; its verdict is missing", 0)
        return (rule.complete(inconclusive(text)),), (notice,)


def told(error: BaseException) -> str:
    """An error in one line, with the place where it was raised."""
    text = " ".join(str(error).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    frames = traceback.extract_tb(error.__traceback__)
    last = next((f for f in reversed(frames) if not _inside(f.filename)), None)
    place = f" ({os.path.basename(last.filename)}, line {last.lineno})" if last else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


def _inside(file: str) -> bool:
    """Whether a file is ours, Python's own, or numpy's: not where a stranger's mistake is."""
    parts = file.replace("\\", "/").split("/")
    return file.startswith(("<", _HERE)) or "importlib" in parts or "numpy" in parts


def _sound(finding: Finding) -> Finding:
    """A finding that every output can show.

    Raises
    ------
    TypeError, ValueError
        It cannot be made one.
    """
    if not isinstance(finding.message, str) or not finding.message:
        raise TypeError("a finding has no message")
    if not 0 <= finding.confidence <= 1:
        raise ValueError(f"a confidence is between 0 and 1, not {finding.confidence!r}")
    steps = finding.first_step, finding.last_step
    first, last = (None if step is None else int(step) for step in steps)
    evidence = {str(name): _plain(value) for name, value in finding.evidence.items()}
    return replace(finding, first_step=first, last_step=last, evidence=evidence)


def _plain(value: Any) -> float:
    return value if isinstance(value, int | float) else float(value)
