"""What to change about a run, as one patch: the prescriptions of all its findings put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trainlens.compact import Compact
from trainlens.expectation import Expectation
from trainlens.judged import Judged, judged
from trainlens.prescribe import advise
from trainlens.prescribe.base import Case
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity

__all__ = ["SCHEMA", "Conflict", "Plan", "Prepared", "document", "plan", "prepared"]

SCHEMA = "trainlens.patch/1"

_Place = tuple[str, str, str, int | None]


@dataclass(frozen=True, slots=True)
class Prepared(Compact):
    """A judged run with what the next one is expected to show, without its points.

    Parameters
    ----------
    told : Judged
    expect : mapping of (rule, metric, split, first step) to tuple of Expectation
    unmeasured : mapping of (rule, metric, split, first step) to str
        Why there is none.
    """

    told: Judged
    expect: Mapping[_Place, tuple[Expectation, ...]]
    unmeasured: Mapping[_Place, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conflict:
    """A setting that two findings want at different values.

    Parameters
    ----------
    key : str
    value : Any
        The one in the patch.
    rule : str
        Of the finding that asks for it: the gravest and surest.
    other : Any
        The one left out.
    other_rule : str
    """

    key: str
    value: Any
    rule: str
    other: Any
    other_rule: str


@dataclass(frozen=True)
class Plan:
    """What to change about a run.

    Parameters
    ----------
    told : Judged
    findings : tuple of Finding
        Those that ask for changes, in the order in which to make them.
    patch : mapping of dotted name to value
    because : mapping of dotted name to rule
    verify : tuple of str
        How to see that it worked, in words.
    expect : tuple of Expectation
    unmeasured : mapping of rule to str
        Why no expectation says whether its remedy worked.
    conflicts : tuple of Conflict
    """

    told: Judged
    findings: tuple[Finding, ...]
    patch: Mapping[str, Any]
    because: Mapping[str, str]
    verify: tuple[str, ...]
    expect: tuple[Expectation, ...]
    unmeasured: Mapping[str, str]
    conflicts: tuple[Conflict, ...]


def prepared(diagnosis: Diagnosis) -> Prepared:
    """What `plan` needs of a judged run, made while its points are at hand."""
    case = Case(diagnosis.run, diagnosis.results)
    advices = {_place(f): a for f in diagnosis.findings if (a := advise(case, f)) is not None}
    return Prepared(
        judged(diagnosis),
        {place: advice.expect for place, advice in advices.items() if advice.expect},
        {place: advice.unmeasured for place, advice in advices.items() if not advice.expect},
    )


def _place(finding: Finding) -> _Place:
    return finding.rule, finding.metric, finding.split, finding.first_step


def plan(ready: Prepared, *rules: str) -> Plan:
    """Put the prescriptions of a run together.

    Parameters
    ----------
    ready : Prepared
    *rules : str
        Only the findings of these rules, notes included; without any every warning and error.

    Returns
    -------
    Plan
        Where two findings want different values of one setting, the gravest and surest has it.
    """
    told = ready.told
    chosen = tuple(f for f in told.findings if _wanted(f, rules))
    patch: dict[str, Any] = {}
    because: dict[str, str] = {}
    conflicts: list[Conflict] = []
    for finding in chosen:
        for key, value in _settings(finding).items():
            if key not in patch:
                patch[key], because[key] = value, finding.rule
            elif patch[key] != value:
                told_of = Conflict(key, patch[key], because[key], value, finding.rule)
                if told_of not in conflicts:
                    conflicts.append(told_of)
    expect = [e for f in chosen for e in ready.expect.get(_place(f), ())]
    return Plan(
        told,
        chosen,
        patch,
        because,
        tuple(dict.fromkeys(f.verify for f in chosen if f.verify)),
        tuple(dict.fromkeys(expect)),
        {f.rule: why for f in chosen if (why := ready.unmeasured.get(_place(f)))},
        tuple(conflicts),
    )


def _wanted(finding: Finding, rules: tuple[str, ...]) -> bool:
    return finding.rule in rules if rules else finding.severity is not Severity.INFO


def _settings(finding: Finding) -> dict[str, Any]:
    """What a finding asks for; of its own prescriptions the first one counts."""
    held: dict[str, Any] = {}
    for prescription in finding.prescriptions:
        for key, value in prescription["patch"].items():
            held.setdefault(key, value)
    return held


def document(made: Plan) -> dict[str, Any]:
    """A plan as plain JSON values, ``trainlens.patch/1``."""
    return {
        "schema": SCHEMA,
        "run": made.told.name,
        "patch": dict(made.patch),
        "because": dict(made.because),
        "verify": list(made.verify),
        "expect": [e.mapping for e in made.expect],
        "unmeasured": dict(made.unmeasured),
    }


def with_told(ready: Prepared, told: Judged) -> Prepared:
    """The same with findings that the other runs have told something about."""
    return replace(ready, told=told)
