"""Findings that a user knows of: kept, but counted no longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any

from trainlens import words
from trainlens.rules.base import Finding
from trainlens.words import nearest

_KEYS = ("rule", "run", "metric", "steps", "reason", "expires")


@dataclass(frozen=True)
class Suppression:
    """Which findings do not count, and why.

    Parameters
    ----------
    number : int
        Its place among the ``[[suppress]]`` of the settings, from 1.
    rule : str
        Name of a rule; ``*`` and ``?`` stand for anything, here and in what follows.
    reason : str
    run : str
        Name of runs as ``trainlens ls`` shows it, or the end of their paths.
    metric : str
        ``metric`` or ``split/metric``.
    steps : (first, last) or None
        A finding that reaches beyond them counts.
    expires : date or None
        The last day on which it holds.
    """

    number: int
    rule: str
    reason: str
    run: str = "*"
    metric: str = "*"
    steps: tuple[int, int] | None = None
    expires: date | None = None

    def __str__(self) -> str:
        what = [self.rule]
        if self.metric != "*":
            what.append(f"of {self.metric}")
        if self.run != "*":
            what.append(f"in {self.run}")
        if self.steps is not None:
            what.append(f"at {words.steps(*self.steps)}")
        return f"[[suppress]] number {self.number} ({' '.join(what)})"

    def covers(self, name: str, source: str, finding: Finding) -> bool:
        """Whether a fault of a run is meant."""
        return (
            fnmatchcase(finding.rule, self.rule)
            and self._concerns(name, source)
            and self._names(finding)
            and self._spans(finding)
        )

    def _concerns(self, name: str, source: str) -> bool:
        # The name of a run depends on how it was asked for, the end of its path does not.
        return fnmatchcase(name, self.run) or PurePath(source).match(self.run)

    def _names(self, finding: Finding) -> bool:
        full = f"{finding.split}/{finding.metric}" if finding.metric else ""
        return fnmatchcase(finding.metric, self.metric) or fnmatchcase(full, self.metric)

    def _spans(self, finding: Finding) -> bool:
        if self.steps is None:
            return True
        if finding.first_step is None:
            return False
        last = finding.first_step if finding.last_step is None else finding.last_step
        return self.steps[0] <= finding.first_step and last <= self.steps[1]


def suppression(number: int, given: Any) -> Suppression:
    """What stands in a ``[[suppress]]``.

    Raises
    ------
    ValueError
        What is wrong with it, and what would be right.
    """
    if not isinstance(given, Mapping):
        raise ValueError("expected a table with rule and reason")
    for key in given:
        if key not in _KEYS:
            raise ValueError(f"there is no key {key!r}; {nearest(str(key), _KEYS)}")
    texts = {key: given[key] for key in ("rule", "run", "metric", "reason") if key in given}
    for key in ("rule", "reason"):
        if key not in texts:
            raise ValueError(f'{key} is missing; add {key} = "..."')
    for key, value in texts.items():
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{key} must be a text that is not empty, not {value!r}")
    try:
        PurePath().match(texts.get("run", "*"))
    except ValueError:
        raise ValueError(f"run: {texts['run']!r} is no pattern of names or paths") from None
    return Suppression(
        number, steps=_steps(given.get("steps")), expires=_day(given.get("expires")), **texts
    )


def _steps(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    whole = isinstance(value, list | tuple) and all(type(v) is int for v in value)
    if not whole or len(value) != 2 or value[0] > value[1]:
        raise ValueError(f"steps are the first and the last one, e.g. [1000, 2000], not {value!r}")
    return value[0], value[1]


def _day(value: Any) -> date | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    raise ValueError(f"expires is a day without quotes, e.g. 2026-12-31, not {value!r}")


def expired(one: Suppression, today: date) -> bool:
    """Whether a suppression holds no longer."""
    return one.expires is not None and today > one.expires


def with_suppressions(
    name: str, source: str, results: Iterable[Finding], suppressions: Sequence[Suppression]
) -> tuple[Finding, ...]:
    """Results of a run in which the faults that a user knows of carry the reason."""

    def judged(finding: Finding) -> Finding:
        if not finding.failed:
            return finding
        held = next((s for s in suppressions if s.covers(name, source, finding)), None)
        return replace(finding, suppressed=held.reason) if held is not None else finding

    return tuple(map(judged, results))
