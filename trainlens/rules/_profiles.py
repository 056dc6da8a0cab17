"""The profiles, and trainlens' own rules of each."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from trainlens.errors import UsageError
from trainlens.rules.base import Rule, registered

PROFILES = {"default": "", "seed": "default", "sagemaker": ""}
"""Profiles, and the one whose rules they take where they have none of that name."""


@cache
def profile_rules(profile: str, own: tuple[Rule, ...] = ()) -> Mapping[str, Rule]:
    """Rules of a profile by name, in the order in which they run, with those of other packages.

    Raises
    ------
    UsageError
        Unknown profile.
    """
    chosen: dict[str, Rule] = {}
    for layer in layers(profile):
        _import(layer)
        held = [r for (p, _), r in registered().items() if p == layer and not r.package]
        chosen |= {r.name: r for r in (*held, *(r for r in own if r.profile == layer))}
    return {name: chosen[name] for name in ordered(chosen)}


def layers(profile: str) -> tuple[str, ...]:
    """A profile, behind the one that it builds on.

    Raises
    ------
    UsageError
        Unknown profile.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; there are: {', '.join(PROFILES)}")
    return tuple(filter(None, (PROFILES[profile], profile)))


def _import(profile: str) -> None:
    """The files of a profile: those of the default one lie here, others in their own folder."""
    home = __name__.rpartition(".")[0]
    place = home if profile == "default" else f"{home}.{profile}"
    folder = importlib.import_module(place).__path__
    for module in pkgutil.iter_modules(folder, f"{place}."):
        if not module.ispkg:
            importlib.import_module(module.name)


def ordered(rules: Mapping[str, Rule]) -> list[str]:
    """Names of rules, each behind those that it requires.

    Raises
    ------
    ValueError
        Some require each other.
    KeyError
        One is required that is not among them.
    """
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
