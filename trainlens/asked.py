"""What a command line, a project's settings and the defaults ask for together.

The command line counts more than the settings, those more than the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from trainlens import rules
from trainlens.errors import UsageError
from trainlens.judged import Judged
from trainlens.rules._values import like
from trainlens.rules.base import Rule
from trainlens.run import Notice
from trainlens.settings import Meaning, Settings, expired
from trainlens.work import Judging


@dataclass(frozen=True)
class Given:
    """What a command line says; None where it does not.

    Parameters
    ----------
    profile : str or None
    select, ignore : tuple of str
        Names of rules.
    settings : mapping of rule to {setting: value}
    roles : tuple of Meaning
    fail_on : str or None
    plugins : bool
        Whether the rules of other packages are asked.
    """

    profile: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    roles: tuple[Meaning, ...] = ()
    fail_on: str | None = None
    plugins: bool = True


@dataclass(frozen=True)
class Asked:
    """How runs are to be judged, and what is to be known of that.

    Parameters
    ----------
    judge : Judging
    fail_on : str or None
    notices : tuple of Notice
        What of the settings is not in force, and packages whose rules are left out.
    file : str
        Where the settings stand.
    """

    judge: Judging
    fail_on: str | None
    notices: tuple[Notice, ...] = ()
    file: str = ""

    def use(self) -> Use:
        """Watches what of it is of use."""
        return Use(self)


def ask(given: Given, settings: Settings, today: date) -> Asked:
    """Put a command line and settings together.

    Parameters
    ----------
    given : Given
    settings : Settings
    today : date
        Decides which suppressions have expired.

    Raises
    ------
    UsageError
        A profile, rule or threshold that does not exist, with the place where it was asked for.
    """
    return _Asking(given, settings).asked(today)


class _Asking:
    """One asking: what is given, and the rules that it is held against."""

    def __init__(self, given: Given, settings: Settings) -> None:
        self.given, self.settings = given, settings
        self.own = rules.installed() if given.plugins else ()
        self.notices = list(rules.load().faults) if given.plugins else []
        # Without them a name in the settings may be right, and cannot be looked up.
        self.lenient = not given.plugins or bool(self.notices)
        self.profile = given.profile or settings.profile or "default"
        if given.profile is None and settings.profile not in (None, *rules.PROFILES):
            raise settings.place.unknown("profile", "profile", self.profile, rules.PROFILES)

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """Those of the profile."""
        return rules.all_rules(self.profile, self.own)

    @cached_property
    def everywhere(self) -> Mapping[str, list[Rule]]:
        """Those of all profiles, by name."""
        held: dict[str, list[Rule]] = {}
        for profile in rules.PROFILES:
            for name, rule in rules.all_rules(profile, self.own).items():
                held.setdefault(name, []).append(rule)
        return held

    def asked(self, today: date) -> Asked:
        given, settings = self.given, self.settings
        for name in (*given.select, *given.ignore):
            if name not in self.rules:
                raise UsageError(f"unknown rule {name!r}; {rules.meant(name, self.rules)}")
        select, ignore = self._select(), self._ignore()
        thresholds = self._file_thresholds()
        for name, held in self._line_thresholds().items():
            thresholds[name] = thresholds.get(name, {}) | held
        severity = {n: s for n, s in settings.severity.items() if self._exists(n, f"rules.{n}")}
        suppress = [s for s in settings.suppress if self._holds(s.number, s.rule)]
        for one in suppress:
            if expired(one, today):
                self._note(f"{one} expired on {one.expires}: its findings count again")
        judge = Judging(
            self.profile,
            select,
            ignore,
            thresholds,
            severity,
            (*settings.roles, *given.roles),
            tuple(s for s in suppress if not expired(s, today)),
            self.own,
        )
        file = settings.place.file
        return Asked(judge, given.fail_on or settings.fail_on, tuple(self.notices), file)

    def _select(self) -> tuple[str, ...]:
        if self.given.select or not self.settings.select:
            return self.given.select
        named = [n for n in self.settings.select if self._exists(n, "select")]
        here = tuple(n for n in named if n in self.rules and n not in self.given.ignore)
        if not here:
            where = self.settings.place
            raise where.error("select", f"none of these rules is asked in profile {self.profile}")
        return here

    def _ignore(self) -> tuple[str, ...]:
        if self.given.ignore:
            return self.given.ignore
        named = [n for n in self.settings.ignore or () if self._exists(n, "ignore")]
        return tuple(n for n in named if n in self.rules and n not in self.given.select)

    def _exists(self, name: str, key: str) -> bool:
        """Whether some profile has a rule of that name."""
        if name in self.everywhere:
            return True
        if not self.lenient:
            raise self.settings.place.unknown(key, "rule", name, self.everywhere)
        self._note(f"{key}: the rule {name} is not at hand, as not all packages with rules are")
        return False

    def _holds(self, number: int, pattern: str) -> bool:
        if any(fnmatchcase(name, pattern) for name in self.everywhere):
            return True
        return self._exists(pattern, f"suppress, number {number}")

    def _file_thresholds(self) -> dict[str, dict[str, Any]]:
        held: dict[str, dict[str, Any]] = {}
        for name, settings in self.settings.rules.items():
            if self._exists(name, f"rules.{name}"):
                held[name] = dict(self._file_settings(name, settings))
        return {name: settings for name, settings in held.items() if settings}

    def _file_settings(self, name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        place, variants = self.settings.place, self.everywhere[name]
        known = [setting for rule in variants for setting in rule.defaults]
        for setting, value in given.items():
            key = f"rules.{name}.{setting}"
            if setting not in known:
                raise place.unknown(key, "setting", setting, dict.fromkeys([*known, "severity"]))
            rule = self.rules.get(name)
            if rule is None or setting not in rule.defaults:
                self._note(f"{key}: not used, profile {self.profile} has no such setting")
                continue
            try:
                yield setting, like(rule.defaults[setting], value)
            except ValueError as error:
                raise place.error(key, str(error)) from None

    def _line_thresholds(self) -> dict[str, dict[str, Any]]:
        held: dict[str, dict[str, Any]] = {}
        for name, settings in self.given.settings.items():
            if name not in self.rules:
                hint = rules.meant(name, self.rules)
                raise UsageError(f"settings for an unknown rule {name!r}; {hint}")
            held[name] = self.rules[name].settled(settings)
        return held

    def _note(self, text: str) -> None:
        self.notices.append(Notice("settings", self.settings.place.file, text, 0))


class Use:
    """Which suppressions and meanings were of use, gathered while runs pass by."""

    def __init__(self, asked: Asked) -> None:
        self._file = asked.file
        self._suppress = list(asked.judge.suppress)
        self._roles = list(dict.fromkeys(m.name for m in asked.judge.roles))
        self._any = False

    def see(self, told: Judged) -> None:
        """Look at a run."""
        self._any = True
        if self._roles:
            self._roles = [name for name in self._roles if name not in told.used]
        for finding in told.suppressed if self._suppress else ():
            covers = [s.covers(told.name, told.source, finding) for s in self._suppress]
            self._suppress = [s for s, c in zip(self._suppress, covers, strict=True) if not c]

    def see_all(self, told: Sequence[Judged]) -> list[Notice]:
        """Look at runs, and say what was of no use."""
        for one in told:
            self.see(one)
        return self.notices()

    def notices(self) -> list[Notice]:
        """What was of no use; nothing where no run was seen."""
        if not self._any:
            return []
        where = self._file or "settings"
        unused = [f"unused suppression: {s} matches no finding; remove it" for s in self._suppress]
        unused += [f"the role of {name!r} is unused: no run has such a metric; `trainlens export` "
                   "lists their names" for name in self._roles]  # fmt: skip
        return [Notice("settings", where, text, 0) for text in unused]
