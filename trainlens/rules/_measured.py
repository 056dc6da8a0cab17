"""How often rules are right: what the labelled benchmark wrote beside them.

``python -m benchmarks.diagnosis --write`` fills the file; without it nothing is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

NAME = "measured.json"


@dataclass(frozen=True)
class Measured:
    """How often a rule is right.

    Parameters
    ----------
    precision, recall : float in [0, 1] or None
        Share of its findings that are right; share of the clear faults that it finds.
    runs : int or None
        On which they were measured.
    command, date : str
        What measured them, and when.
    """

    precision: float | None
    recall: float | None
    runs: int | None
    command: str
    date: str


@cache
def all_measured() -> Mapping[str, Measured]:
    """What is known, by rule of the default profile; nothing where the file is missing."""
    file = resources.files(__package__) / NAME
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return parsed(held)


def parsed(held: Mapping[str, Any]) -> dict[str, Measured]:
    """What stands in the file.

    Examples
    --------
    >>> parsed({"command": "c", "date": "d", "rules": {"outlier": {"recall": 0.9}}})["outlier"]
    Measured(precision=None, recall=0.9, runs=None, command='c', date='d')
    """
    command, date = str(held.get("command", "")), str(held.get("date", ""))
    return {
        name: Measured(one.get("precision"), one.get("recall"), one.get("runs"), command, date)
        for name, one in held.get("rules", {}).items()
    }
