"""What an adviser is: a function of a case and a fault that says causes, remedies, and a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainlens.expectation import Expectation
from trainlens.rules.base import Finding
from trainlens.run import Run

__all__ = [
    "EXCLUDED",
    "LIKELY",
    "OPEN",
    "PROVEN",
    "Advice",
    "Adviser",
    "Case",
    "Expectation",
    "Hypothesis",
    "Remedy",
    "advisers",
    "advises",
    "ranked",
]

Remedy = tuple[str, Mapping[str, Any]]
"""What to change in words, and the same for a machine."""

PROVEN, LIKELY, OPEN, EXCLUDED = 1.0, 0.75, 0.4, 0.0
"""Weights: the log shows it; speaks for it; says nothing about it; speaks against it."""

_SURE = 0.9
"""From this weight on, a cause is as good as known: what would help others is not prescribed."""


@dataclass(frozen=True)
class Hypothesis:
    """A possible cause, and what the log says about it.

    Parameters
    ----------
    text : str
        ``the learning rate is too small``; of an excluded one ``not the sampler``.
    weight : float in [0, 1]
        How much speaks for it: `PROVEN`, `LIKELY`, `OPEN`, `EXCLUDED`, or between.
    because : str
        What the log says for or against: ``its peak is 1e-10``. Empty where it says nothing.
    do : tuple of Remedy
        What helps if this is the cause.
    """

    text: str
    weight: float = OPEN
    because: str = ""
    do: tuple[Remedy, ...] = ()

    @property
    def told(self) -> str:
        """The hypothesis with its reason."""
        return f"{self.text}: {self.because}" if self.because else self.text


def ranked(causes: tuple[Hypothesis | str, ...]) -> tuple[Hypothesis, ...]:
    """Hypotheses by weight, those of equal weight in the order given; a bare text is open."""
    held = [c if isinstance(c, Hypothesis) else Hypothesis(c) for c in causes]
    return tuple(sorted(held, key=lambda h: -h.weight))


@dataclass(frozen=True)
class Advice:
    """What to think and do about a finding.

    Parameters
    ----------
    causes : tuple of Hypothesis or str
        In the order in which a colleague would look at them; what the log says reorders them.
    do : tuple of (text, patch)
        What to change whatever the cause, after what the causes ask for; an empty patch where a
        person must look.
    verify : str
        How to see that it worked.
    expect : tuple of Expectation
        The same for a machine.
    unmeasured: str
        Why there is none: what no log can show, or this one does not. Empty where there is one.
    """

    causes: tuple[Hypothesis | str, ...] = ()
    do: tuple[Remedy, ...] = ()
    verify: str = ""
    expect: tuple[Expectation, ...] = ()
    unmeasured: str = ""

    @cached_property
    def ranked(self) -> tuple[Hypothesis, ...]:
        """The causes, the most likely first."""
        return ranked(self.causes)

    @property
    def told(self) -> tuple[str, ...]:
        """The causes as texts, the most likely first."""
        return tuple(h.told for h in self.ranked)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to change, in this order; nothing twice, nothing for what the log excludes.

        Where one cause is as good as known, what would help against others is left out.
        """
        sure = any(h.weight >= _SURE for h in self.ranked)
        least = _SURE if sure else EXCLUDED + 0.2
        chosen = [r for h in self.ranked if h.weight >= least for r in h.do]
        held: dict[str, Remedy] = {}
        for text, patch in (*chosen, *self.do):
            if not (patch and _keys(held) >= patch.keys()):
                held.setdefault(text, (text, patch))
        return tuple(held.values())


def _keys(held: Mapping[str, Remedy]) -> set[str]:
    return {key for _, patch in held.values() for key in patch}


@dataclass(frozen=True)
class Case:
    """Everything that is known of a run when causes are weighed.

    Parameters
    ----------
    run : Run
    results : tuple of Finding
        Every outcome of every rule.
    """

    run: Run
    results: tuple[Finding, ...] = ()

    def faults(self, rule: str) -> tuple[Finding, ...]:
        """What a rule found wrong, in the order in which it said so."""
        return tuple(f for f in self.results if f.rule == rule and f.failed)


Adviser = Callable[[Case, Finding], Advice]
advisers: dict[str, Adviser] = {}


def advises(rule: str) -> Callable[[Adviser], Adviser]:
    """Register the adviser of a rule."""

    def register(adviser: Adviser) -> Adviser:
        advisers[rule] = adviser
        return adviser

    return register
