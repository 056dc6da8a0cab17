"""What an adviser is: a function of a run and a fault that says causes, remedies, and a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainlens.rules.base import Finding
from trainlens.run import Run

Remedy = tuple[str, Mapping[str, Any]]
"""What to change in words, and the same for a machine."""


@dataclass(frozen=True)
class Advice:
    """What to think and do about a finding.

    Parameters
    ----------
    causes : tuple of str
        Hypotheses, the most likely first.
    do : tuple of (text, patch)
        What to change, and the same for a machine; an empty patch where a person must look.
    verify : str
        How to see that it worked.
    """

    causes: tuple[str, ...] = ()
    do: tuple[Remedy, ...] = ()
    verify: str = ""


Adviser = Callable[[Run, Finding], Advice]
advisers: dict[str, Adviser] = {}


def advises(rule: str) -> Callable[[Adviser], Adviser]:
    """Register the adviser of a rule."""

    def register(adviser: Adviser) -> Adviser:
        advisers[rule] = adviser
        return adviser

    return register
