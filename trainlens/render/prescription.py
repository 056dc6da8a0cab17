"""What to change about a run, as terminal text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from trainlens import words
from trainlens.prescribe.plan import Plan
from trainlens.render import text
from trainlens.rules.base import Finding

_SHOWN = 8
"""Expectations that are told; the patch has all."""


def prescription(made: Plan, *rules: str, columns: int = 80) -> str:
    """A plan as text: for each fault what to change in which order, why, and how to verify it.

    Parameters
    ----------
    made : Plan
    *rules : str
        The rules that were asked for.
    columns : int
        Width to wrap at.
    """
    told = made.told
    lines = [text.heading(told), *text.verdict(told, columns)]
    if not made.findings:
        why = f"no finding of {', '.join(rules)}" if rules else "nothing to change"
        return "\n".join([*lines, "", *text.wrapped("", f"{why}.".capitalize(), "  ", columns)])
    for number, finding in enumerate(made.findings, 1):
        lines += ["", *_finding(number, finding, made, columns)]
    lines += _expected(made, columns)
    return "\n".join(lines)


def _finding(number: int, finding: Finding, made: Plan, columns: int) -> list[str]:
    lines = [f"{number}. {text.facts(finding)}"]
    lines += text.wrapped("", finding.message, "   ", columns)
    if finding.causes:
        lines += text.wrapped("May be:", "; ".join(finding.causes) + ".", "   ", columns)
    for k, one in enumerate(finding.prescriptions, 1):
        left = _left_out(one["patch"], finding, made)
        lines += text.wrapped(f"{k})", text.todo(one) + left, "   ", columns)
    if finding.verify:
        lines += text.wrapped("Check:", f"{finding.verify}.", "   ", columns)
    return lines


def _left_out(patch: Mapping[str, Any], finding: Finding, made: Plan) -> str:
    """Which settings of a change another finding decides."""
    told = [
        f"{c.key} stays {c.value}, which {c.rule} asks for"
        for c in made.conflicts
        if c.other_rule == finding.rule and patch.get(c.key) == c.other and c.key in patch
    ]
    return f" Not in the patch: {'; '.join(told)}." if told else ""


def _expected(made: Plan, columns: int) -> list[str]:
    lines: list[str] = []
    if made.patch:
        settings = ", ".join(f"{key}: {value}" for key, value in made.patch.items())
        lines += ["", *text.wrapped(click.style("Patch:", bold=True), settings, "", columns)]
    for conflict in made.conflicts:
        said = (
            f"{conflict.key} is {conflict.value} for {conflict.rule}, the graver or surer finding; "
            f"{conflict.other_rule} asked for {conflict.other}."
        )
        lines += text.wrapped(click.style("Conflict:", bold=True), said, "", columns)
    if made.expect:
        said = "; ".join(str(e) for e in made.expect[:_SHOWN])
        if len(made.expect) > _SHOWN:
            said += f"; and {words.step(len(made.expect) - _SHOWN)} more in the patch"
        lines += text.wrapped(click.style("Expect:", bold=True), f"{said}.", "", columns)
    for rule, why in made.unmeasured.items():
        said = f"nothing for {rule}: {why}."
        lines += text.wrapped(click.style("Expect:", bold=True), said, "", columns)
    return lines


def written(made: Plan, path: str) -> str:
    """What was written where, or why nothing was."""
    if not made.patch:
        return f"{path} is not written: there is no setting to change"
    return f"{path}: {words.plural(len(made.patch), 'setting')}"
