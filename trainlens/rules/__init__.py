"""The rules, and `diagnose`, which runs them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from trainlens.errors import UsageError
from trainlens.notebook import Shown
from trainlens.rules._own import guarded, installed, load, own_rules
from trainlens.rules._profiles import PROFILES, layers, profile_rules
from trainlens.rules.base import (
    Finding,
    Rule,
    Severity,
    Status,
    gravity,
    registered,
    skip,
)
from trainlens.run import Notice, Run
from trainlens.words import nearest

__all__ = [
    "PROFILES",
    "Diagnosis",
    "all_rules",
    "choose",
    "diagnose",
    "find",
    "installed",
    "load",
    "meant",
]

# A log of two points passes many others too; that makes no healthy run.
_SPEAK_OF_HEALTH = frozenset({"learning", "validation"})


@dataclass(frozen=True)
class Diagnosis(Shown):
    """What all rules say about a run.

    Parameters
    ----------
    run : Run
    results : tuple of Finding
        Every outcome of every rule, in the order in which the rules ran.
    profile : str
    used : tuple of str
        What a user said of metrics that this run has.
    """

    run: Run
    results: tuple[Finding, ...]
    profile: str = "default"
    used: tuple[str, ...] = ()

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The faults that count, the gravest and surest first."""
        return tuple(sorted((f for f in self.results if f.failed), key=gravity))

    @cached_property
    def severity(self) -> Severity | None:
        """The gravest severity among the faults, None without any."""
        return max((f.severity for f in self.findings), key=lambda s: s.rank, default=None)

    @property
    def verdict(self) -> str:
        """``failing`` (errors), ``warning``, ``healthy``, or ``inconclusive``.

        A run is inconclusive where no rule could judge whether it learns.
        """
        if self.severity is Severity.ERROR:
            return "failing"
        if self.severity is Severity.WARNING:
            return "warning"
        judged = any(
            (f.status is Status.PASS or f.suppressed)
            and (rule := find(self.profile, f.rule)) is not None
            and rule.about in _SPEAK_OF_HEALTH
            for f in self.results
        )
        return "healthy" if judged else "inconclusive"


def all_rules(profile: str = "default", own: tuple[str, ...] = ()) -> Mapping[str, Rule]:
    """Rules of a profile by name, in the order in which they run.

    Parameters
    ----------
    profile : str
    own : tuple of str
        Packages whose rules are asked beside those of trainlens; `installed` names them.

    Raises
    ------
    UsageError
        Unknown profile, or a package that is not there.
    """
    return profile_rules(profile, own_rules(own))


def find(profile: str, name: str) -> Rule | None:
    """A rule of a profile, also one of another package; None where there is none."""
    known = all_rules(profile)
    if name in known:
        return known[name]
    held = (registered().get((layer, name)) for layer in reversed(layers(profile)))
    return next(filter(None, held), None)


def choose(
    profile: str = "default",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    own: tuple[str, ...] = (),
) -> Mapping[str, Rule]:
    """Rules to run: all, or those of `select`, without those of `ignore`.

    Raises
    ------
    UsageError
        A name that no rule has.
    """
    rules = all_rules(profile, own)
    wanted, unwanted = set(select), set(ignore)
    if not wanted and not unwanted:
        return rules
    for name in sorted(wanted | unwanted):
        if name not in rules:
            raise UsageError(f"unknown rule {name!r}; {meant(name, rules)}")
    return {n: r for n, r in rules.items() if (not wanted or n in wanted) and n not in unwanted}


def diagnose(
    run: Run,
    *,
    profile: str = "default",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    own: tuple[str, ...] = (),
) -> Diagnosis:
    """Judge a run by every rule.

    Parameters
    ----------
    run : Run
    profile : str
        ``default`` (scale-free) or ``seed`` (fixed, unit-dependent thresholds).
    select, ignore : iterable of str
        Rule names: only these, all but these.
    settings : mapping of rule name to {setting: value}, optional
        Thresholds in place of the defaults.
    own : tuple of str
        Packages whose rules are asked as well. One that breaks becomes an inconclusive finding
        and a notice of the run.

    Returns
    -------
    Diagnosis

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.
    """
    rules = choose(profile, select, ignore, own)
    given = settings or {}
    known = all_rules(profile, own)
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(f"settings for an unknown rule {unknown[0]!r}; {meant(unknown[0], known)}")
    results: list[Finding] = []
    notices: list[Notice] = []
    broken: set[str] = set()
    for name, rule in rules.items():
        blockers = [r for r in rule.requires if r in broken]
        if blockers:
            reason = f"not judged: {' and '.join(blockers)} failed, which would decide this too"
            found: tuple[Finding, ...] = (rule.complete(skip(reason)),)
        elif rule.package:
            found, failed = guarded(rule, run, given.get(name))
            notices += failed
        else:
            found = rule(run, given.get(name))
        if any(f.failed and f.severity is Severity.ERROR for f in found):
            broken.add(name)
        results.extend(found)
    if notices:
        run = replace(run, notices=(*run.notices, *notices))
    return Diagnosis(run, tuple(results), profile)


def meant(name: str, known: Iterable[str]) -> str:
    """What to say of a name that no rule has."""
    hint = nearest(name, known)
    return hint if hint.endswith("?") else "`trainlens rules` lists them"
