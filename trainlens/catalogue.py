"""All that is to be told of a rule: what it looks for, its settings, how often it is right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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


_SECTION = "\n\nSettings\n--------\n"
_ONE = re.compile(r"^(\w+) : (.+)\n((?:    .*\n?)+)", re.MULTILINE)


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
    # It was measured with the default thresholds.
    known = measured.get(rule.name) if rule.profile == "default" else None
    return Entry(rule, settings_of(rule), variants, known, package_of(rule) if rule.package else "")


def settings_of(rule: Rule) -> tuple[Setting, ...]:
    """The settings of a rule in the order of its signature.

    Unit and meaning are those of the section ``Settings`` of the advice; for a setting that does
    not stand there, what its name tells and the sentence of the advice that names it.
    """
    told = {name: (unit, meaning) for name, unit, meaning in _told(rule.advice)}
    return tuple(
        Setting(name, default, *told.get(name, (unit(name, default), _meaning(rule.advice, name))))
        for name, default in rule.defaults.items()
    )


def body(rule: Rule) -> str:
    """The advice of a rule without its title and without the section ``Settings``."""
    text, _, _ = rule.advice.partition(_SECTION)
    return "\n".join(text.splitlines()[1:]).strip()


def _told(advice: str) -> Iterator[tuple[str, str, str]]:
    """Name, unit and meaning of each setting in the section of an advice."""
    _, _, section = advice.partition(_SECTION)
    for name, of, meaning in _ONE.findall(section):
        yield name, of, " ".join(meaning.split())


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
    text = " ".join(" ".join(advice.partition(_SECTION)[0].splitlines()[1:]).split())
    sentences = re.split(r"(?<=[.:;])\s+(?=[A-Z`])", text)
    found = next((s for s in sentences if re.search(rf"`{re.escape(name)}`", s)), "")
    return found.rstrip(" ;:")
