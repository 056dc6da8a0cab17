"""The findings of a report as data: numbered, worded, grouped, and compared across runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens import verdict, words
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status, gravity, registered
from trainlens.run import Run, Series
from trainlens.stats.resample import Buckets, bucket, uniform_edges

GROUP_ABOVE = 8
"""More findings than this are grouped by rule, the three that matter first."""
TOP = 3

_RECURRING = frozenset({"loss-spike", "outlier", "validation-jump", "non-finite", "divergence"})
_VIEW = 120


@dataclass(frozen=True, eq=False)
class View:
    """The surroundings of a finding at high resolution, for a small chart.

    Parameters
    ----------
    lines : tuple of (split, Buckets)
        The finding's own series first.
    first, last : int
        The range of steps found at fault.
    """

    lines: tuple[tuple[str, Buckets], ...]
    first: int
    last: int


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


def ranked(diagnoses: Sequence[Diagnosis]) -> list[tuple[int, Finding]]:
    """All faults with the index of their run, the gravest and surest first."""
    found = [(i, f) for i, d in enumerate(diagnoses) for f in d.findings]
    return sorted(found, key=lambda pair: gravity(pair[1]))


def items(
    diagnoses: Sequence[Diagnosis],
    found: Sequence[tuple[int, Finding]],
    charts: Mapping[tuple[str, str], str],
) -> tuple[Item, ...]:
    """Items of `found`, in its order; `charts` gives the chart of a (metric, split)."""
    return tuple(
        Item(
            number,
            run,
            diagnoses[run].run.name,
            verdict.headline(f),
            _certainty(f.confidence),
            f,
            words.steps(f.first_step, f.last_step),
            _also(run, f, found, diagnoses),
            charts.get((f.metric, f.split), ""),
            _view(diagnoses[run].run, f),
        )
        for number, (run, f) in enumerate(found, 1)
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


def outcomes(diagnoses: Sequence[Diagnosis], status: Status) -> tuple[Outcome, ...]:
    """Results of a status, the same words of several runs together, by rule."""
    runs: dict[tuple[str, str], list[str]] = {}
    for d in diagnoses:
        for f in d.results:
            if f.status is status:
                names = runs.setdefault((f.rule, f.message), [])
                if d.run.name not in names:
                    names.append(d.run.name)
    return tuple(
        Outcome(rule, verdict.title(rule), message, tuple(names))
        for (rule, message), names in sorted(runs.items(), key=lambda pair: pair[0][0])
    )


def thresholds(diagnoses: Sequence[Diagnosis]) -> dict[str, dict[str, str]]:
    """Default settings of every rule that was asked, as text."""
    # The rules that gave results are registered; no other needs to be imported for this.
    known = registered()
    settings = {}
    for profile, name in sorted({(d.profile, f.rule) for d in diagnoses for f in d.results}):
        rule = known.get((profile, name)) or known.get(("default", name))
        if rule is not None and rule.defaults:
            settings[name] = {key: str(value) for key, value in rule.defaults.items()}
    return settings


def _certainty(confidence: float) -> str:
    if confidence >= 0.95:
        return "certain"
    return "very likely" if confidence >= 0.7 else "may be chance"


def _also(
    run: int,
    finding: Finding,
    found: Sequence[tuple[int, Finding]],
    diagnoses: Sequence[Diagnosis],
) -> str:
    if finding.rule not in _RECURRING or finding.first_step is None:
        return ""
    span = diagnoses[run].run.steps or (0, 0)
    near = max(5, (span[1] - span[0]) // 500)
    others = sorted(
        {
            other
            for other, f in found
            if other != run
            and (f.rule, f.metric, f.split) == (finding.rule, finding.metric, finding.split)
            and f.first_step is not None
            and abs(f.first_step - finding.first_step) <= near
        }
    )
    if not others:
        return ""
    names = [verdict.shortened(diagnoses[o].run.name, 40) for o in others[:3]]
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return (
        f"The same at this step in {', '.join(names)}{more}: "
        "what the runs share there, such as the data, is a likelier cause than chance."
    )


def _view(run: Run, finding: Finding) -> View | None:
    own = run.series.get((finding.metric, finding.split))
    if own is None or not len(own) or finding.first_step is None:
        return None
    kept = own.effective
    first = finding.first_step
    last = max(first, first if finding.last_step is None else finding.last_step)
    low, high = _surroundings(kept, first, last)
    twin = run.series.get((finding.metric, "train" if finding.split != "train" else "val"))
    lines = []
    for series in (own, twin):
        if series is not None and (summary := _between(series.effective, low, high)) is not None:
            lines.append((series.split, summary))
    return View(tuple(lines), first, last) if lines else None


def _surroundings(kept: Series, first: int, last: int) -> tuple[int, int]:
    # Twice the range on both sides, a tenth of the run and 20 points at least.
    span = int(kept.step[-1] - kept.step[0])
    pad = max(2 * (last - first), span // 10, 1)
    low, high = first - pad, last + pad
    a = int(np.searchsorted(kept.step, first))
    low = min(low, int(kept.step[max(0, a - 20)]))
    high = max(high, int(kept.step[min(len(kept) - 1, a + 20)]))
    return max(low, int(kept.step[0])), min(high, int(kept.step[-1]))


def _between(series: Series, low: int, high: int) -> Buckets | None:
    inside: NDArray[np.intp] = np.flatnonzero((series.step >= low) & (series.step <= high))
    if not len(inside):
        return None
    step, value = series.step[inside], series.value[inside]
    return bucket(step, value, uniform_edges(int(step[0]), int(step[-1]), _VIEW))
