"""Tier C: tiny trainings with a fault that was put in on purpose, each beside its healthy twin.

A training is a function ``(bench, sick) -> None`` that trains and logs; the decorator that
registers it says what is wrong with the sick one, and which facts its log must show. Both runs
have the same seed, data and model; only the fault differs. ``python -m
benchmarks.diagnosis.trainings`` runs them all (torch is needed) and writes the logs that
`benchmarks.diagnosis.tier_c` reads (torch is not).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.diagnosis.trainings.curves import Curves
from trainlens.rules.base import Severity

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.bench import Bench

Train = Callable[["Bench", bool], None]
Facts = Callable[[Curves, Curves], Mapping[str, bool]]
"""From the sick run and its twin to sentences that must be true."""

_MODULES = ("rates", "samples", "gradients", "units", "parts", "evaluation", "machine")


@dataclass(frozen=True)
class Training:
    """A pair of trainings, and what is wrong with the sick one.

    Parameters
    ----------
    name : str
    train : callable
        ``(bench, sick) -> None``.
    accepts : tuple of str
        Rules that are right about it.
    brings : tuple of str
        Rules that are not wrong either.
    first : int
        Step at which the fault begins.
    last : int, optional
        Step of its end; that of the log if not given.
    facts : callable
        What the two logs must show for the pair to be one.
    point : bool
        An event at `first` rather than a state.
    least : Severity
        The mildest finding that counts.
    seed : int
    """

    name: str
    train: Train
    accepts: tuple[str, ...]
    brings: tuple[str, ...]
    first: int
    last: int | None
    facts: Facts
    point: bool
    least: Severity
    seed: int

    @property
    def title(self) -> str:
        """What is wrong, in one line."""
        return (self.train.__doc__ or self.name).splitlines()[0].rstrip(".")

    def file(self, sick: bool) -> str:
        """Name of the log of one of the two."""
        return f"{self.name}.{'sick' if sick else 'well'}.jsonl.gz"


_held: dict[str, Training] = {}


def training(
    name: str,
    *,
    accepts: tuple[str, ...],
    facts: Facts,
    brings: tuple[str, ...] = (),
    first: int = 0,
    last: int | None = None,
    point: bool = False,
    least: str = "warning",
    seed: int = 0,
) -> Callable[[Train], Train]:
    """Register a pair; for the parameters see `Training`."""

    def register(train: Train) -> Train:
        held = _held.get(name)
        if held is not None and held.train.__module__ != train.__module__:
            raise ValueError(f"two trainings are called {name!r}")
        _held[name] = Training(
            name, train, accepts, brings, first, last, facts, point, Severity(least), seed
        )
        return train

    return register


@cache
def trainings() -> Mapping[str, Training]:
    """All pairs by name."""
    for module in _MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return {name: _held[name] for name in sorted(_held)}
