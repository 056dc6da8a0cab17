"""Runs of which it is known what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainlens.rules.base import Severity
from trainlens.run import Run

HEALTHY = "healthy"


@dataclass(frozen=True)
class Span:
    """Where a fault is, in steps, both ends included."""

    first: int
    last: int


@dataclass(frozen=True)
class Labelled:
    """A run and what is wrong with it.

    Parameters
    ----------
    run : Run
    kind : str
        Kind of fault, or `HEALTHY`.
    accepted : tuple of str
        Rules that are right about it.
    spans : tuple of Span
        Where it is: one hit each.
    consequences : tuple of str
        Rules that are not wrong either: what the fault does to other series, or another name.
    tolerance : int
        Steps by which a finding may miss a span: 5 points of its series or 1 % of the run.
    point : bool
        An event that begins at its span, rather than a state that lasts.
    strength : float
        How strong it is, in standard errors or as a ratio, as the kind says.
    least : Severity
        The mildest finding that counts as an alarm for it.
    families : mapping of str to str
        What it was drawn from, for the strata.
    seed : int
        With the kind and the tier it gives the run again.
    """

    run: Run
    kind: str
    accepted: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    consequences: tuple[str, ...] = ()
    tolerance: int = 0
    point: bool = False
    strength: float = 0.0
    least: Severity = Severity.WARNING
    families: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def first_step(self) -> int | None:
        """Where the fault begins; None for a healthy run."""
        return min((s.first for s in self.spans), default=None)

    @property
    def last_step(self) -> int | None:
        """Where it ends; None for a healthy run."""
        return max((s.last for s in self.spans), default=None)
