"""Expectations as people write them: ``mean(val/mpjpe) < 80 mm``.

A series, a statistic of it or a place in it, and what it should be::

    mean(val/mpjpe) < 80 mm
    gap/mpjpe at 3,000 about +45 mm
    train/total within 10 % of 1.10
    min(train/loss) up to epoch 50 < 3.5
    std(val/mpjpe) <= 80 % of baseline
    median("train"/"grad norm (l2)") between 1 and 10

The place may stand before or behind the series, or at the end. Without a statistic and without
``at``, the end of the series is meant.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from trainlens import words
from trainlens.expectation.statement import STATS, Expectation, plain_series, split_called
from trainlens.splits import parse_name

__all__ = ["Malformed", "parse"]

_OPERATORS = {"=": "==", "==": "==", "≤": "<=", "≥": ">=", "~": "about", "≈": "about",
              "about": "about", "around": "about", "below": "<", "under": "<", "above": ">",
              "over": ">", "between": "between"}  # fmt: skip
_STATS = {"average": "mean", "final": "last"}
_AXES = {"step": "step", "steps": "step", "epoch": "epoch", "epochs": "epoch"}

_SPACE = re.compile(r"[\s\u202f\u2009]*")
_NUMBER = re.compile(
    r"[+\-\u2212]?(?:\d{1,3}(?:[,_\u202f\u2009]\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d*|\.\d+)?"
    r"(?:(?<=[\d.])[eE][+\-\u2212]?\d+)?"
)
_CALL = re.compile(r"([a-z][a-z\d]*(?:/median)?)\s*\(")
_OPERATOR = re.compile(r"<=|>=|==|[=<>~≈≤≥]|(?:about|around|below|under|above|over|between)\b")
_AXIS = re.compile(r"(?:steps?|epochs?)\b")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])+)"')
_NAME = re.compile(r"[^\s()<>=\"~≈≤≥]+")
_UNIT = re.compile(
    r"(?!(?:within|of|and|x|times|at|from|to|up|baseline)\b)(?:%|[A-Za-zµ°][\w/%°µ]*)"
)


class Malformed(ValueError):
    """A statement that cannot be read.

    Parameters
    ----------
    problem : str
    column : int
        Where, from 1.
    """

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(f"column {column}: {problem}")
        self.problem, self.column = problem, column


def parse(text: str) -> Expectation:
    """The expectation that a statement stands for.

    Raises
    ------
    Malformed

    Examples
    --------
    >>> parse("std(val/mpjpe) < 18 mm").mapping
    {'metric': 'mpjpe', 'split': 'val', 'stat': 'std', 'op': '<', 'value': 18.0, 'unit': 'mm'}
    """
    return _Reading(text).statement()


class _Reading:
    """A statement, and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.given: dict[str, Any] = {}

    def statement(self) -> Expectation:
        self._places()
        self._target()
        self._places()
        self._relation()
        self._places()
        if self.at < len(self.text):
            self._fail(f"{self._rest()} is too much")
        if "at" not in self.given:
            self.given.setdefault("stat", "end")
        elif "stat" in self.given:
            self._fail("a statistic of a single point (at) says nothing; give a range (from, to)")
        try:
            return Expectation(**self.given)
        except ValueError as error:
            raise Malformed(str(error), 1) from None

    # --- what stands next ---------------------------------------------------------------

    def _take(self, pattern: re.Pattern[str] | str) -> re.Match[str] | None:
        """What matches next, taken with the blanks behind it; None leaves all as it is."""
        blank = _SPACE.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        found = re.compile(pattern).match(self.text, self.at)
        if found is None or not found.group():
            return None
        after = _SPACE.match(self.text, found.end())
        self.at = after.end() if after else found.end()
        return found

    def _word(self, *asked: str) -> bool:
        return self._take(rf"(?:{'|'.join(asked)})\b") is not None

    def _rest(self) -> str:
        rest = self.text[self.at :].split()
        return repr(rest[0]) if rest else "the end"

    def _fail(self, problem: str) -> NoReturn:
        raise Malformed(problem, self.at + 1)

    def _number(self, what: str) -> float:
        return float(self._digits(what))

    def _digits(self, what: str) -> str:
        found = self._take(_NUMBER)
        if found is None or not any(c.isdigit() for c in found.group()):
            self.at = found.start() if found else self.at
            self._fail(f"{what} is missing before {self._rest()}")
        return re.sub("[,_\u202f\u2009]", "", found.group().replace(words.MINUS, "-"))

    # --- the parts of a statement -------------------------------------------------------

    def _places(self) -> None:
        while True:
            if self._word("at"):
                self._place("at")
            elif self._word("from"):
                self._place("first")
            elif self._word(r"up\s+to", "to", "until"):
                self._place("last")
            else:
                return

    def _place(self, key: str) -> None:
        if key in self.given:
            self._fail("the same kind of place stands there twice")
        axis = self._take(_AXIS)
        if axis is not None:
            called = _AXES[axis.group()]
            if self.given.setdefault("axis", called) != called:
                self._fail("places in steps and in epochs do not go together")
        self.given[key] = self._number("a step or an epoch")

    def _target(self) -> None:
        call = self._take(_CALL)
        if call is not None:
            name = _STATS.get(call.group(1), call.group(1))
            if name not in STATS:
                self.at = call.start()
                self._fail(f"there is no statistic {name!r}; {words.nearest(name, STATS)}")
            self.given["stat"] = name
        self.given["split"], self.given["metric"] = self._series()
        if call is not None and self._take(r"\)") is None:
            self._fail(f"a closing ) is missing before {self._rest()}")

    def _series(self) -> tuple[str, str]:
        first = self._take(_QUOTED)
        if first is None:
            return self._bare()
        held = [_plain(first)]
        if self._take("/"):
            second = self._take(_QUOTED)
            if second is None:
                self._fail("the name of a metric in quotes is missing")
            held.append(_plain(second))
        if len(held) == 2:
            return split_called(held[0]), held[1]
        return _named(held[0])

    def _bare(self) -> tuple[str, str]:
        found = self._take(_NAME)
        if found is None:
            self._fail(f"the name of a series is missing before {self._rest()}")
        return plain_series(found.group()) or _named(found.group())

    def _relation(self) -> None:
        if self._word("within"):
            self._tolerance()
            if not self._word("of"):
                self._fail(f"'of' and a number are missing before {self._rest()}")
            self.given["op"] = "about"
            self.given["value"] = self._bound()
            return
        found = self._take(_OPERATOR)
        if found is None:
            self._fail(f"<, >, about, between or within is missing before {self._rest()}")
        self.given["op"] = _OPERATORS.get(found.group(), found.group())
        self.given["value"] = self._bound()
        if self.given["op"] == "between":
            self._upper()
        while self._word("within") or self._take("±"):
            self._tolerance()

    def _upper(self) -> None:
        if not self._word("and"):
            self._fail(f"'and' and a second number are missing before {self._rest()}")
        against = self.given.get("against", "")
        self.given["upper"] = self._bound()
        if self.given.get("against", "") != against:
            self._fail("both numbers are of the baseline, or none of them is")

    def _tolerance(self) -> None:
        digits = self._digits("a tolerance")
        if self._unit() == "%":
            self.given["rtol"] = _hundredth(digits)
        else:
            self.given["atol"] = float(digits)

    def _unit(self) -> str:
        found = self._take(_UNIT)
        return found.group() if found else ""

    def _bound(self) -> float:
        if self._word("baseline"):
            return self._beside_baseline()
        digits = self._digits("a number")
        if self._take(r"%\s*of\s+baseline\b"):
            self.given["against"] = "ratio"
            return _hundredth(digits)
        if self._take(r"(?:x|×|\*|times)\s*baseline\b"):
            self.given["against"] = "ratio"
            return float(digits)
        self._said_unit()
        return float(digits)

    def _beside_baseline(self) -> float:
        sign = self._take("[+\u2212-]")
        if sign is None:
            self.given["against"] = "difference"
            return 0.0
        less = sign.group() != "+"
        digits = self._digits("a number")
        if self._take("%"):
            self.given["against"] = "ratio"
            return _hundredth(digits, -1 if less else 1, 100)
        self.given["against"] = "difference"
        self._said_unit()
        return -float(digits) if less else float(digits)

    def _said_unit(self) -> None:
        unit = self._unit()
        if unit and self.given.setdefault("unit", unit) != unit:
            self._fail(f"two units: {self.given['unit']} and {unit}")


def _plain(quoted: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", quoted.group(1))


def _named(name: str) -> tuple[str, str]:
    """Split and metric of a name as it stands in a log: ``val`` and ``loss`` of ``val_loss``."""
    metric, split = parse_name(name)
    return split or "train", metric


def _hundredth(digits: str, factor: int = 1, more: int = 0) -> float:
    """A percentage, from its digits: a float of it would not always lead back to the share."""
    from decimal import Decimal

    return float((factor * Decimal(digits) + more) / 100)
