"""The findings of a report as data: numbered, worded, grouped, and compared across runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trainlens import verdict, words
from trainlens.across import Across
from trainlens.judged import Judged
from trainlens.reporting.digest import Digest
from trainlens.reporting.views import View
from trainlens.rules import find
from trainlens.rules.base import Finding, Severity, Status, gravity

GROUP_ABOVE, ALIKE = 8, 3
"""More findings than this, or of one rule, are grouped by rule, the three that matter first."""
TOP = 3


@dataclass(frozen=True, eq=False)
class Item:
    """A finding as a report shows it.

    Parameters
    ----------
    number : int
        From 1, in the order of the report.
    run : int
        Index into the runs of the report.
    run_name : str
    title : str
        ``Validation jump at step 12 000``.
    certainty : str
        ``certain``, ``very likely`` or ``may be chance``.
    finding : Finding
    where : str
        ``steps 9 000–15 000``, empty where it concerns the whole run.
    also : str
        A sentence about other runs with the same finding at the same step, empty without.
    chart : str
        Key of the chart of its metric, empty without.
    view : View or None
    """

    number: int
    run: int
    run_name: str
    title: str
    certainty: str
    finding: Finding
    where: str
    also: str
    chart: str
    view: View | None


@dataclass(frozen=True)
class Group:
    """Findings of one rule."""

    rule: str
    title: str
    severity: Severity
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Outcome:
    """What a rule that found no fault said, and of which runs.

    Parameters
    ----------
    rule, title, message : str
    runs : tuple of str
    """

    rule: str
    title: str
    message: str
    runs: tuple[str, ...]


def ranked(digests: Sequence[Digest]) -> list[tuple[int, int]]:
    """All faults as (index of the run, place in it), the gravest and surest first.

    Where they are grouped, the ones that come first are of different rules, as far as there are
    others that are more than a note: three times the same says less.
    """
    found = [(i, k) for i, d in enumerate(digests) for k in range(len(d.told.findings))]
    fault = {(i, k): digests[i].told.findings[k] for i, k in found}
    found.sort(key=lambda pair: gravity(fault[pair]))
    if not crowded(f.rule for f in fault.values()):
        return found
    first: list[tuple[int, int]] = []
    for _ in range(TOP):
        rest = [pair for pair in found if pair not in first]
        shown = {fault[pair].rule for pair in first}
        grave = [p for p in rest if fault[p].severity is not Severity.INFO] or rest
        first.append(next((p for p in grave if fault[p].rule not in shown), rest[0]))
    return first + [pair for pair in found if pair not in first]


def crowded(rules: Iterable[str]) -> bool:
    """Whether findings of these rules, one a finding, are so many that they are grouped."""
    held = Counter(rules)
    return held.total() > GROUP_ABOVE or max(held.values(), default=0) > ALIKE


def items(
    digests: Sequence[Digest],
    found: Sequence[tuple[int, int]],
    charts: Mapping[tuple[str, str], str],
) -> tuple[Item, ...]:
    """Items of `found`, in its order; `charts` gives the chart of a (metric, split)."""
    across = Across([d.told for d in digests])
    return tuple(
        Item(
            number,
            run,
            digests[run].told.name,
            verdict.headline(f),
            _certainty(f.confidence),
            f,
            words.steps(f.first_step, f.last_step),
            across.sentence(run, f),
            charts.get((f.metric, f.split), ""),
            digests[run].views[place] if place < len(digests[run].views) else None,
        )
        for number, (run, place) in enumerate(found, 1)
        for f in (digests[run].told.findings[place],)
    )


def grouped(held: Sequence[Item]) -> tuple[Group, ...]:
    """Items by rule, in the order of the gravest item of each."""
    by_rule: dict[str, list[Item]] = {}
    for item in held:
        by_rule.setdefault(item.finding.rule, []).append(item)
    return tuple(
        Group(rule, verdict.title(rule), members[0].finding.severity, tuple(members))
        for rule, members in by_rule.items()
    )


def outcomes(judged: Sequence[Judged], status: Status) -> tuple[Outcome, ...]:
    """Results of a status, the same words of several runs together, by rule."""
    runs: dict[tuple[str, str], dict[str, None]] = {}
    for d in judged:
        for f in d.results:
            if f.status is status:
                runs.setdefault((f.rule, f.message), {})[d.name] = None
    return tuple(
        Outcome(rule, verdict.title(rule), message, tuple(names))
        for (rule, message), names in sorted(runs.items(), key=lambda pair: pair[0][0])
    )


def suppressed(judged: Sequence[Judged]) -> tuple[Outcome, ...]:
    """Faults that do not count, each behind its reason, the same words of several runs together."""
    runs: dict[tuple[str, str], dict[str, None]] = {}
    for d in judged:
        for f in d.suppressed:
            message = f"{f.suppressed.rstrip('.')}: {f.message}"
            runs.setdefault((f.rule, message), {})[d.name] = None
    return tuple(
        Outcome(rule, verdict.title(rule), message, tuple(names))
        for (rule, message), names in sorted(runs.items(), key=lambda pair: pair[0][0])
    )


def thresholds(judged: Sequence[Judged]) -> dict[str, dict[str, str]]:
    """Default settings of every rule that was asked, as text."""
    settings = {}
    for profile, name in sorted({(d.profile, f.rule) for d in judged for f in d.results}):
        # A rule of this name may exist in the default profile only.
        rule = find(profile, name) or find("default", name)
        if rule is not None and rule.defaults:
            settings[name] = {key: str(value) for key, value in rule.defaults.items()}
    return settings


def _certainty(confidence: float) -> str:
    if confidence >= 0.95:
        return "certain"
    return "very likely" if confidence >= 0.7 else "may be chance"
