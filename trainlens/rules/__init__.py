"""The rules, and `diagnose`, which runs them in order."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from trainlens.errors import UsageError
from trainlens.rules.base import Finding, Rule, Severity, Status, gravity, registered, skip
from trainlens.run import Run

PROFILES = ("default", "seed")

# A log of two points passes these too; that makes no healthy run.
_SAY_NOTHING_OF_LEARNING = frozenset({"non-finite", "step-rewind"})


@dataclass(frozen=True)
class Diagnosis:
    """What all rules say about a run.

    Parameters
    ----------
    run : Run
    results : tuple of Finding
        Every outcome of every rule, in the order in which the rules ran.
    profile : str
    """

    run: Run
    results: tuple[Finding, ...]
    profile: str = "default"

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The faults, the gravest and surest first."""
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
            f.status is Status.PASS and f.rule not in _SAY_NOTHING_OF_LEARNING for f in self.results
        )
        return "healthy" if judged else "inconclusive"


@cache
def all_rules(profile: str = "default") -> Mapping[str, Rule]:
    """Rules of a profile by name, in the order in which they run.

    A profile other than ``default`` is the default one with its own checks in place of those of
    the same name.

    Raises
    ------
    UsageError
        Unknown profile.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; there are: {', '.join(PROFILES)}")
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    chosen = {name: r for (p, name), r in registered().items() if p == "default"}
    chosen.update({name: r for (p, name), r in registered().items() if p == profile})
    return {name: chosen[name] for name in _ordered(chosen)}


def _ordered(rules: Mapping[str, Rule]) -> list[str]:
    order: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"rules require each other: {' -> '.join((*above, name))}")
        if name in order:
            return
        for needed in rules[name].requires:
            visit(needed, (*above, name))
        order.append(name)

    for name in sorted(rules):
        visit(name, ())
    return order


def choose(
    profile: str = "default", select: Iterable[str] = (), ignore: Iterable[str] = ()
) -> Mapping[str, Rule]:
    """Rules to run: all, or those of `select` with what they require, without `ignore`.

    Raises
    ------
    UsageError
        A name that no rule has.
    """
    rules = all_rules(profile)
    wanted, unwanted = set(select), set(ignore)
    if not wanted and not unwanted:
        return rules
    for name in sorted(wanted | unwanted):
        if name not in rules:
            raise UsageError(f"unknown rule {name!r}; `trainlens rules` lists them")
    return {n: r for n, r in rules.items() if (not wanted or n in wanted) and n not in unwanted}


def diagnose(
    run: Run,
    *,
    profile: str = "default",
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
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

    Returns
    -------
    Diagnosis

    Raises
    ------
    UsageError
        Unknown profile, rule or setting.
    """
    rules = choose(profile, select, ignore)
    given = settings or {}
    if unknown := sorted(given.keys() - all_rules(profile).keys()):
        raise UsageError(
            f"settings for an unknown rule {unknown[0]!r}; `trainlens rules` lists them"
        )
    results: list[Finding] = []
    broken: set[str] = set()
    for name, rule in rules.items():
        blockers = [r for r in rule.requires if r in broken]
        if blockers:
            reason = f"not judged: {' and '.join(blockers)} failed, which would decide this too"
            found: tuple[Finding, ...] = (rule.complete(skip(reason)),)
        else:
            found = rule(run, given.get(name))
        if any(f.failed and f.severity is Severity.ERROR for f in found):
            broken.add(name)
        results.extend(found)
    return Diagnosis(run, tuple(results), profile)
