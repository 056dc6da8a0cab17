"""What the next run should show if a prescription works, for a person and for a machine.

``trainlens compare --expect`` reads the mappings that `Expectation.mapping` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainlens import words

__all__ = ["OPERATORS", "STATS", "Expectation"]

OPERATORS = ("<", "<=", ">", ">=", "==")
"""How the value of the next run is compared with the one that is expected."""

STATS = {
    "last": "last finite value",
    "min": "smallest finite value",
    "max": "largest finite value",
    "mean": "mean of the finite values",
    "median": "median of the finite values",
    "std": "standard deviation of the finite values, n - 1",
    "noise": "noise from point to point: 1.4826 MAD of second differences / sqrt(6)",
    "nonfinite": "how many values are NaN or infinite",
    "max/median": "largest value over the median",
    "p99/median": "99th percentile over the median",
}
"""What is taken of a series where no single step is meant; of `from` to `to` where these stand."""


@dataclass(frozen=True)
class Expectation:
    """A statement about one series of the next run.

    Parameters
    ----------
    metric, split : str
    op : str
        One of `OPERATORS`.
    value : float
        In the unit of the log.
    stat : str
        One of `STATS`; empty where `at` is given.
    at : int or None
        The value at this step.
    first, last : int or None
        Only the points of these steps count, both ends inside; open where None.
    """

    metric: str
    split: str
    op: str
    value: float
    stat: str = ""
    at: int | None = None
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise ValueError(f"no operator {self.op!r}; there are: {' '.join(OPERATORS)}")
        if (self.at is None) == (self.stat not in STATS):
            raise ValueError(f"either a step or one of {', '.join(STATS)}, not {self.stat!r}")

    @property
    def mapping(self) -> dict[str, Any]:
        """For JSON: metric, split, at or stat, from and to where they are given, op, value."""
        told: dict[str, Any] = {"metric": self.metric, "split": self.split}
        told |= {"stat": self.stat} if self.at is None else {"at": self.at}
        for key, step in (("from", self.first), ("to", self.last)):
            if step is not None:
                told[key] = step
        return {**told, "op": self.op, "value": self.value}

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Expectation:
        """The expectation that a mapping stands for.

        Raises
        ------
        ValueError
            It is none.
        """
        known = {"metric", "split", "at", "stat", "from", "to", "op", "value"}
        if unknown := sorted(mapping.keys() - known):
            raise ValueError(f"an expectation has no {unknown[0]!r}")
        if missing := sorted({"metric", "split", "op", "value"} - mapping.keys()):
            raise ValueError(f"an expectation needs {missing[0]!r}")
        given = dict(mapping)
        first, last = given.pop("from", None), given.pop("to", None)
        return cls(**given, first=first, last=last)

    def __str__(self) -> str:
        what = self.stat
        if self.at is not None:
            what = f"at {words.steps(self.at, None)}"
        elif self.first is not None:
            what += f" from step {words.step(self.first)}"
        if self.last is not None:
            what += f" up to step {words.step(self.last)}"
        return f"{self.split}/{self.metric} {what} {self.op} {words.number(self.value)}"
