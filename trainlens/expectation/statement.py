"""The statement itself: which number of which series, and what it should be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainlens import words
from trainlens.splits import SPLITS
from trainlens.stats.summaries import SUMMARIES

__all__ = ["AXES", "GAP", "OPERATORS", "STATS", "Expectation", "plain_series"]

OPERATORS = ("<", "<=", ">", ">=", "==", "about", "between")
"""How the number of a run is compared with the one that is expected."""

AXES = ("step", "epoch")
"""What `at`, `first` and `last` count."""

AGAINST = ("", "ratio", "difference")

STATS: Mapping[str, str] = {
    **{name: one.text for name, one in SUMMARIES.items()},
    "best": "smallest or largest finite value, whichever is better",
    "count": "how many points there are",
    "nonfinite": "how many values are NaN or infinite",
}
"""What is taken of a series where no single point is meant."""

GAP = "gap"
"""In place of a split: validation minus train, of the same metric at the same step."""

_ABOUT = 0.1
_LARGE = 1 << 53
"""Below it every whole number is a float."""
_KEYS = ("metric", "split", "stat", "at", "from", "to", "axis", "op", "value", "against", "rtol",
         "atol", "unit", "label")  # fmt: skip
_NUMBERS = ("at", "from", "to", "rtol", "atol")


@dataclass(frozen=True)
class Expectation:
    """A statement about a series of a run.

    Parameters
    ----------
    metric : str
        Name of a series as trainlens shows it or as it stands in the log; where a run has none of
        that name, a role of `trainlens.roles.ROLES`. With ``*`` in it a pattern, ``ROLE/*`` every
        series of a role: each of them must be so.
    split : str
        ``train``, ``val``, ..., ``*`` for any, or ``gap``: validation minus train.
    op : str
        One of `OPERATORS`.
    value : float
        In the unit of the log; with `against` a factor or an offset.
    stat : str
        One of `STATS`; empty where `at` is given.
    at : float or None
        The value there.
    first, last : float or None
        Only points from here up to there count, both ends inside; open where None.
    axis : str
        Of `AXES`.
    upper : float or None
        Other end of what `value` begins, of ``between`` only.
    against : str
        Empty; ``ratio``: `value` times what the baseline has; ``difference``: that plus `value`.
    rtol, atol : float or None
        What is still accepted: a share of the limit, and a part in the unit of the log. None is 0;
        of ``about`` without both a tenth.
    unit : str
        Unit of `value`, where it is said.
    label : str
        What a table calls it, or the heading above it.

    Raises
    ------
    ValueError
        It says nothing that could be judged.
    """

    metric: str
    split: str
    op: str
    value: float
    stat: str = ""
    at: float | None = None
    first: float | None = None
    last: float | None = None
    axis: str = "step"
    upper: float | None = None
    against: str = ""
    rtol: float | None = None
    atol: float | None = None
    unit: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise ValueError(problem)

    @property
    def needs_baseline(self) -> bool:
        """Whether it speaks of a run by comparing it with another."""
        return self.against != ""

    def limits(self, baseline: float | None = None) -> tuple[float, float]:
        """Between which numbers it is met, what is tolerated included.

        Parameters
        ----------
        baseline : float, optional
            The same number of the baseline.

        Returns
        -------
        (low, high) : float
            Infinite where it is open. The limit itself is outside with ``<`` and ``>``.

        Raises
        ------
        ValueError
            A baseline is needed and not given.
        """
        low = self._absolute(self.value, baseline)
        if self.op in ("<", "<="):
            return -math.inf, low + self._slack(low)
        if self.op in (">", ">="):
            return low - self._slack(low), math.inf
        high = low if self.upper is None else self._absolute(self.upper, baseline)
        low, high = min(low, high), max(low, high)
        return low - self._slack(low), high + self._slack(high)

    def _absolute(self, value: float, baseline: float | None) -> float:
        if not self.against:
            return value
        if baseline is None:
            raise ValueError(f"{self}: there is no baseline to compare with")
        return value * baseline if self.against == "ratio" else value + baseline

    def _slack(self, limit: float) -> float:
        share = self.rtol
        if share is None:
            share = _ABOUT if self.op == "about" and self.atol is None else 0.0
        # Without a share nothing is multiplied: the limit may be infinite.
        return (self.atol or 0.0) + (share * abs(limit) if share else 0.0)

    def met(self, number: float, baseline: float | None = None) -> bool:
        """Whether a number is as expected; NaN never is."""
        low, high = self.limits(baseline)
        if self.op == "<":
            return number < high
        return number > low if self.op == ">" else low <= number <= high

    @property
    def mapping(self) -> dict[str, Any]:
        """For JSON and TOML: only the keys that say something; `of` reads it."""
        given = {"from": self.first, "to": self.last, "rtol": self.rtol, "atol": self.atol}
        said = {"against": self.against, "unit": self.unit, "label": self.label}
        where = {"stat": self.stat} if self.at is None else {"at": self.at}
        told: dict[str, Any] = {"metric": self.metric, "split": self.split, **where}
        told |= {key: given[key] for key in ("from", "to") if given[key] is not None}
        told = {key: _whole(value) for key, value in told.items()}
        told |= {"axis": self.axis} if self.axis != "step" else {}
        value = self.value if self.upper is None else [self.value, self.upper]
        told |= {"op": self.op, "value": value}
        told |= {key: given[key] for key in ("rtol", "atol") if given[key] is not None}
        return told | {key: text for key, text in said.items() if text}

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Expectation:
        """The expectation that a mapping stands for.

        Raises
        ------
        ValueError
            It is none; one line that names the key.
        """
        if unknown := [key for key in mapping if key not in _KEYS]:
            hint = words.nearest(str(unknown[0]), _KEYS)
            raise ValueError(f"an expectation has no key {unknown[0]!r}; {hint}")
        for key in ("metric", "op", "value"):
            if key not in mapping:
                raise ValueError(f"an expectation needs {key!r}")
        given = {"split": "train", **mapping}
        for key, value in given.items():
            if not (_is_number(value) if key in _NUMBERS else key == "value" or _is_text(value)):
                kind = "number" if key in _NUMBERS else "text"
                raise ValueError(f"{key} is no {kind}: {value!r}")
        low, high = _ends(given.pop("value"))
        first, last = given.pop("from", None), given.pop("to", None)
        if given.get("at") is None:
            given.setdefault("stat", "end")
        if "split" not in mapping and (named := plain_series(given["metric"])):
            given["split"], given["metric"] = named
        given["split"] = split_called(given["split"])
        return cls(**given, value=low, upper=high, first=first, last=last)

    def __str__(self) -> str:
        series = _series(self.split, self.metric)
        what = f"{self.stat}({series})" if self.at is None else series
        axis = self.axis
        for word, place in (("at", self.at), ("from", self.first), ("up to", self.last)):
            what += f" {word} {axis} {_exact(place)}" if place is not None else ""
        limit = self._said(self.value)
        if self.upper is not None:
            limit += f" and {self._said(self.upper)}"
        return f"{what} {self.op} {limit}{self._tolerance()}"

    def _said(self, value: float) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.against == "ratio":
            return f"{_exact(value)} x baseline"
        if self.against == "difference":
            return f"baseline {'-' if value < 0 else '+'} {_exact(abs(value))}{unit}"
        return _exact(value) + unit

    def _tolerance(self) -> str:
        share = f" within {_percent(self.rtol)}" if self.rtol is not None else ""
        return share + (f" within {_exact(self.atol)}" if self.atol is not None else "")


def split_called(name: str) -> str:
    """The split that a word means: ``val`` of ``Valid``; other words are splits themselves."""
    return SPLITS.get(name.lower(), name)


def plain_series(text: str) -> tuple[str, str] | None:
    """Split and metric of ``val/mpjpe`` and ``gap/mpjpe``; None of names that need quotes."""
    split, slash, metric = text.partition("/")
    called = SPLITS.get(split.lower(), split if split in (GAP, "*") else "")
    return (called, metric) if slash and called and metric else None


_BARE = re.compile(r"[^\s()<>=\"~≈≤≥]+")


def _series(split: str, metric: str) -> str:
    text = f"{split}/{metric}"
    if _BARE.fullmatch(text) and plain_series(text) == (split, metric):
        return text
    return "/".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
                    for part in (split, metric))  # fmt: skip


def _exact(value: float) -> str:
    """A number as people read it where that is the very number, else all its digits."""
    text = words.number(value)
    plain = text.replace(words.THIN, "").replace(words.MINUS, "-")
    return text if float(plain) == value else repr(float(value)).replace("-", words.MINUS)


def _percent(share: float) -> str:
    from decimal import Decimal

    # Of the decimal digits: 100 times a float is not always a number that leads back to it.
    return f"{(Decimal(repr(share)) * 100).normalize():f} %"


def _whole(value: Any) -> Any:
    """A step as a whole number, where it is one."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _LARGE
    return int(value) if whole else value


def _is_number(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 1 << 63
    return isinstance(value, float)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _ends(value: Any) -> tuple[float, float | None]:
    """The ends of a range, or a number and None."""
    held = list(value) if isinstance(value, list | tuple) else [value]
    if len(held) not in (1, 2) or not all(map(_is_number, held)):
        raise ValueError(f"value is neither a number nor two: {value!r}")
    return held[0], (held[1] if len(held) == 2 else None)


def _problem(one: Expectation) -> str:
    """Why a statement cannot be judged, empty where it can."""
    numbers = (one.value, one.at, one.first, one.last, one.upper, one.rtol, one.atol)
    for text, known, what in (
        (one.op, OPERATORS, "operator"),
        (one.axis, AXES, "axis"),
        (one.against, AGAINST[1:], "comparison"),
        (one.stat, tuple(STATS), "statistic"),
    ):
        if text not in known and (text or what in ("operator", "axis")):
            return f"no {what} {text!r}; there are: {' '.join(known)}"
    if not one.metric or not one.split:
        return "an expectation needs the name of a metric and of a split"
    if (one.at is None) == (one.stat == ""):
        return "either a place (at) or a statistic, not both and not none of them"
    if one.at is not None and (one.first is not None or one.last is not None):
        return "a place (at) and a range (from, to) exclude each other"
    if not all(math.isfinite(number) for number in numbers if number is not None):
        return "an expectation has finite numbers only"
    if one.first is not None and one.last is not None and one.first > one.last:
        return f"no point lies from {words.number(one.first)} to {words.number(one.last)}"
    if (one.op == "between") != (one.upper is not None):
        return "between takes two values, every other operator one"
    if min(one.rtol or 0.0, one.atol or 0.0) < 0:
        return "a tolerance is not below 0"
    return ""
