"""The keys that settings may have, and what may stand behind each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainlens.errors import UsageError
from trainlens.settings.meaning import Meaning, meaning
from trainlens.settings.suppress import Suppression, suppression
from trainlens.words import nearest

SEVERITIES = ("info", "warning", "error")
FAIL_ON = (*SEVERITIES, "never")


@dataclass(frozen=True)
class Place:
    """Where a setting stands, for errors.

    Parameters
    ----------
    file : str
    prefix : str
        Of every key in it.
    """

    file: str
    prefix: str = ""

    def error(self, key: str, problem: str) -> UsageError:
        """One line with file, key, problem and remedy."""
        return UsageError(f"{self.file}: {self.prefix}{key}: {problem}")

    def unknown(self, key: str, what: str, name: str, known: Iterable[str]) -> UsageError:
        """The error of a name that does not exist, with the one that was meant."""
        return self.error(key, f"there is no {what} {name!r}; {nearest(name, known)}")


@dataclass(frozen=True)
class Settings:
    """What a project asks for; None where it does not say.

    Parameters
    ----------
    place : Place
    profile : str or None
    select, ignore : tuple of str or None
        Names of rules.
    fail_on : str or None
        Severity from which on a command exits with 1, or ``never``.
    rules : mapping of rule to {setting: value}
        Thresholds in place of defaults.
    severity : mapping of rule to severity
        Of every fault that it finds, in place of its own.
    roles : tuple of Meaning
    suppress : tuple of Suppression
    """

    place: Place = Place("")
    profile: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    fail_on: str | None = None
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[Meaning, ...] = ()
    suppress: tuple[Suppression, ...] = ()


_KEYS = ("profile", "select", "ignore", "fail-on", "rules", "roles", "suppress")


def parse(table: Mapping[str, Any], place: Place) -> Settings:
    """Settings of the keys and values of a table.

    Names of profiles and rules, and thresholds, are not looked up here: that is done where the
    rules are known.

    Raises
    ------
    UsageError
    """
    for key in table:
        if key not in _KEYS:
            raise place.unknown(key, "setting", key, _KEYS)
    rules, severity = _rules(table.get("rules", {}), place)
    return Settings(
        place,
        _text(table, "profile", place),
        _names(table, "select", place),
        _names(table, "ignore", place),
        _one_of(table.get("fail-on"), FAIL_ON, "fail-on", place),
        rules,
        severity,
        _roles(table.get("roles", {}), place),
        _suppress(table.get("suppress", []), place),
    )


def _text(table: Mapping[str, Any], key: str, place: Place) -> str | None:
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise place.error(key, f'expected a text such as {key} = "default", not {shown(value)}')


def _names(table: Mapping[str, Any], key: str, place: Place) -> tuple[str, ...] | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise place.error(key, f'expected names of rules such as ["loss-spike"], not {shown(value)}')


def _one_of(value: Any, known: tuple[str, ...], key: str, place: Place) -> str | None:
    if value is None or value in known:
        return value if value is None else str(value)
    raise place.error(key, f"expected {', '.join(known[:-1])} or {known[-1]}, not {shown(value)}")


def _table(value: Any, key: str, place: Place) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise place.error(key, f"expected a table [{place.prefix}{key}], not {shown(value)}")


def _rules(value: Any, place: Place) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    thresholds: dict[str, Mapping[str, Any]] = {}
    severity: dict[str, str] = {}
    for rule, given in _table(value, "rules", place).items():
        held = dict(_table(given, f"rules.{rule}", place))
        chosen = _one_of(held.pop("severity", None), SEVERITIES, f"rules.{rule}.severity", place)
        if chosen is not None:
            severity[rule] = chosen
        if held:
            thresholds[rule] = held
    return thresholds, severity


def _roles(value: Any, place: Place) -> tuple[Meaning, ...]:
    held = []
    for name, given in _table(value, "roles", place).items():
        try:
            held.append(meaning(name, given))
        except ValueError as error:
            raise place.error(f'roles."{name}"', str(error)) from None
    return tuple(held)


def _suppress(value: Any, place: Place) -> tuple[Suppression, ...]:
    if not isinstance(value, list | tuple):
        raise place.error("suppress", f"write [[{place.prefix}suppress]], with two brackets")
    held = []
    for number, given in enumerate(value, 1):
        try:
            held.append(suppression(number, given))
        except ValueError as error:
            raise place.error(f"suppress, number {number}", str(error)) from None
    return tuple(held)


def shown(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
