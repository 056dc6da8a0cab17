"""All that is to be told of a rule: what it looks for, its settings, how often it is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainlens.rules import PROFILES, all_rules
from trainlens.rules._measured import Measured, all_measured
from trainlens.rules._own import package_of
from trainlens.rules.base import SUBJECTS, Rule

# Names that mean the same in every rule; the advice says what the others are.
_UNITS = {
    "window": "points",
    "most": "findings",
    "patience": "points",
    "factor": "times",
    "ratio": "times",
    "slowdown": "times",
    "sigma": "standard deviations",
    "z": "standard errors",
}
_ENDS = {"points": "points", "steps": "steps", "seconds": "s", "share": "share, 0 to 1"}


@dataclass(frozen=True)
class Setting:
    """A setting of a rule.

    Parameters
    ----------
    name : str
    default : object
    unit : str
        Empty where only the advice says what it counts.
    meaning : str
        What the advice says of it; empty where it does not name it.
    """

    name: str
    default: Any
    unit: str
    meaning: str


@dataclass(frozen=True)
class Entry:
    """A rule of a profile, with all that is known of it.

    Parameters
    ----------
    rule : Rule
    settings : tuple of Setting
    variants : tuple of (profile, Rule)
        What other profiles have under this name.
    measured : Measured or None
    package : str
        That it comes from; empty for the rules of trainlens itself.
    """

    rule: Rule
    settings: tuple[Setting, ...]
    variants: tuple[tuple[str, Rule], ...]
    measured: Measured | None
    package: str = ""


def catalogue(
    profile: str = "default",
    own: tuple[str, ...] = (),
    measured: Mapping[str, Measured] | None = None,
) -> list[Entry]:
    """The rules of a profile, by subject in the order of `SUBJECTS`, then by name.

    Parameters
    ----------
    profile : str
    own : tuple of str
        Packages whose rules are listed as well.
    measured : mapping of rule to Measured, optional
        In place of what is shipped.

    Raises
    ------
    UsageError
        Unknown profile.
    """
    known = all_measured() if measured is None else measured
    order = list(SUBJECTS)
    rules = all_rules(profile, own).values()
    return [
        _entry(rule, profile, own, known)
        for rule in sorted(rules, key=lambda r: (order.index(r.about), r.name))
    ]


def _entry(
    rule: Rule, profile: str, own: tuple[str, ...], measured: Mapping[str, Measured]
) -> Entry:
    variants = tuple(
        (other, held)
        for other in PROFILES
        if other != profile
        and (held := all_rules(other, own).get(rule.name)) is not None
        and held is not rule
    )
    settings = tuple(
        Setting(name, default, unit(name, default), _meaning(rule.advice, name))
        for name, default in rule.defaults.items()
    )
    # It was measured with the default thresholds.
    known = measured.get(rule.name) if rule.profile == "default" else None
    return Entry(rule, settings, variants, known, package_of(rule) if rule.package else "")


def unit(name: str, default: Any) -> str:
    """Unit of a setting, as its name tells; empty where it does not.

    Examples
    --------
    >>> unit("least_points", 30), unit("share", 0.1), unit("limit", 3.0)
    ('points', 'share, 0 to 1', '')
    """
    if isinstance(default, bool) or not isinstance(default, int | float):
        return ""
    return _UNITS.get(name) or _ENDS.get(name.rpartition("_")[2], "")


def _meaning(advice: str, name: str) -> str:
    """The sentence of an advice that names a setting."""
    text = " ".join(" ".join(advice.splitlines()[1:]).split())
    sentences = re.split(r"(?<=[.:;])\s+(?=[A-Z`])", text)
    found = next((s for s in sentences if re.search(rf"`{re.escape(name)}`", s)), "")
    return found.rstrip(" ;:")
