"""What a page says in short because there are many runs: findings, outcomes, settings."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainlens import words
from trainlens.reporting import Item, Outcome, Report
from trainlens.words import shortened

_FULL = 2
_ROWS = 40
_LISTED = 60
_COMMON = 4
_SENTENCE = re.compile(r".+?[.!?](?=\s+[^a-z\s])", re.DOTALL)


@dataclass(frozen=True)
class Fold:
    """Findings of one rule in many runs.

    Parameters
    ----------
    title, severity : str
    found : int
        How many there are, those at the top of the page included.
    runs : int
        How many runs they concern.
    full : tuple of Item
        Told in full, after the few that stand before all folds.
    rows : tuple of Item
        Told in one line each.
    more : int
        Not on the page.
    """

    title: str
    severity: str
    found: int
    runs: int
    full: tuple[Item, ...]
    rows: tuple[Item, ...]
    more: int


def folds(report: Report) -> tuple[Fold, ...]:
    """The findings by rule, but the first ones; empty where they are few."""
    held = []
    top = {i.number for i in report.top}
    for group in report.groups:
        rest = [i for i in group.items if i.number not in top]
        held.append(
            Fold(
                group.title,
                group.severity.value,
                len(group.items),
                len({i.run for i in group.items}),
                tuple(rest[:_FULL]),
                tuple(rest[_FULL : _FULL + _ROWS]),
                max(0, len(rest) - _FULL - _ROWS),
            )
        )
    return tuple(held)


def marked(report: Report) -> tuple[Item, ...]:
    """Findings that charts mark: those on the page whose runs are drawn; all of few runs."""
    drawn = set(report.drawn)
    if not report.many or not report.groups:
        return tuple(i for i in report.items if i.run in drawn)
    shown = {i.number for f in folds(report) for i in (*f.full, *f.rows)}
    shown |= {i.number for i in report.top}
    return tuple(i for i in report.items if i.run in drawn and i.number in shown)


def first_sentence(text: str, length: int = 200) -> str:
    """The first sentence of a message, cut where it is long.

    Examples
    --------
    >>> first_sentence("The loss rose by 0.4 nats. It came back.")
    'The loss rose by 0.4 nats.'
    """
    hit = _SENTENCE.match(text[: 4 * length])
    return shortened(hit.group() if hit else text, length)


@dataclass(frozen=True)
class Brief:
    """What a rule said of several runs, in the words that most of them share."""

    rule: str
    message: str
    runs: int
    alike: bool


def brief(outcomes: Sequence[Outcome]) -> list[Brief]:
    """Outcomes as one line a rule."""
    by_rule: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_rule.setdefault(one.rule, []).append(one)
    return [
        Brief(
            rule,
            max(held, key=lambda o: len(o.runs)).message,
            len({name for o in held for name in o.runs}),
            len(held) == 1,
        )
        for rule, held in by_rule.items()
    ]


def settings(report: Report) -> list[tuple[str, str, str]]:
    """Settings that differ as (name, how many values, which)."""
    return [
        (name, words.plural(len(set(values) - {""}), "value"), _values(values))
        for name, values in report.config_differences[:_LISTED]
    ]


def _values(values: Sequence[str]) -> str:
    known = Counter(v for v in values if v)
    missing = len(values) - known.total()
    rest = f"; none in {words.plural(missing, 'run')}" if missing else ""
    numbers = [n for v in known if (n := _number(v)) is not None]
    if len(numbers) == len(known) > _COMMON:
        return f"{words.number(min(numbers))} to {words.number(max(numbers))}{rest}"
    told = [f"{shortened(v, 40)} ({words.step(n)})" for v, n in known.most_common(_COMMON)]
    return ", ".join(told) + (", …" if len(known) > _COMMON else "") + rest


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
