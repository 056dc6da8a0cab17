"""The same event in several runs: what it says about the cause, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainlens import words
from trainlens.rules.base import Finding

__all__ = ["Shared", "told"]

_SURE = 0.01
"""Chance of a coincidence below which it is none."""

Told = tuple[tuple[str, ...], tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True)
class Shared:
    """The same event in other runs.

    Parameters
    ----------
    rule : str
    step : int
    others : tuple of str
        Names of the first three runs that have it as well, copies of this run left out.
    count : int
        How many have it as well.
    asked : int
        How many runs could have had it.
    chance : float
        Probability that so many agree by chance.
    steered : bool
        Whether the learning rate jumped right before it.
    """

    rule: str
    step: int
    others: tuple[str, ...]
    count: int
    asked: int
    chance: float
    steered: bool

    @property
    def sure(self) -> bool:
        """Whether chance is out of the question."""
        return self.chance < _SURE

    @property
    def named(self) -> str:
        """The other runs, three by name."""
        names = [words.shortened(name, 40) for name in self.others]
        rest = self.count - len(names)
        more = f" and {words.step(rest)} more" if rest > 0 else ""
        return f"{', '.join(names)}{more}"


def told(found: Shared, finding: Finding) -> Told:
    """Causes and prescriptions of a finding that other runs have as well."""
    if found.rule == "validation-jump":
        return _evaluation(found, finding)
    if found.steered:
        cause = (
            f"the learning rate, which jumped here in {found.named} as well, or the data of these "
            "steps"
        )
        return (cause, *_others(finding)), finding.prescriptions
    where = words.steps(found.step, None)
    if found.rule != "loss-spike":
        cause = f"what the runs share at {where} (the data, or the schedule): the same in "
        return (cause + found.named, *finding.causes), finding.prescriptions
    sure = "certain" if found.sure else "likely"
    cause = f"the data, not the optimizer ({sure}): the same at {where} in {found.named}"
    if sure == "certain":
        count = words.plural(found.count, "other run")
        excluded = f"not chance, not the optimizer: {count} would not meet it at the same step"
        return (cause, excluded), _data_first(finding)
    return (cause, *_others(finding)), _data_first(finding)


def _evaluation(found: Shared, finding: Finding) -> Told:
    everyone = found.count >= found.asked
    who = "all runs" if everyone else found.named
    sure = "certain" if found.sure else "likely"
    cause = (
        f"the evaluation data or its code, not the model ({sure}): the same jump at "
        f"{words.steps(found.step, None)} in {who}"
    )
    if everyone:
        cause += f" ({found.named})"
    text = f"compare the validation samples of {words.steps(found.step, None)} with those before"
    first: Mapping[str, Any] = {"text": text, "patch": {}}
    return (cause, *_others(finding)), (first, *finding.prescriptions)


def _others(finding: Finding) -> tuple[str, ...]:
    """The causes of a finding but those that say the same less surely."""
    return tuple(c for c in finding.causes if not c.startswith(("unusual batches", "a single ")))


def _data_first(finding: Finding) -> tuple[Mapping[str, Any], ...]:
    """Prescriptions about the data; those against the optimizer would not help."""
    first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
    where = words.steps(first, last)
    look: Mapping[str, Any] = {"text": f"look at the batches of {where}", "patch": {}}
    skip: Mapping[str, Any] = {
        "text": f"leave the batches of {where} out",
        "patch": {"data.skip_steps": [first, last]},
    }
    return look, skip
