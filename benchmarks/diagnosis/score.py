"""Alarms against labels: one hit a label, within 5 points or 1 % of the run, no point adjustment.

An alarm is a finding of severity warning or error (of any severity for the few kinds whose rule
only informs). It is a hit where its rule is right about the fault and its steps meet a span, an
echo where it repeats a hit or names a consequence of the fault, and false otherwise. A rule that
cannot judge raises no alarm; it is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.diagnosis.labelled import HEALTHY, Labelled, Span
from trainlens.rules.base import Finding, Severity, Status


@dataclass(frozen=True)
class Outcome:
    """What became of one labelled run.

    Parameters
    ----------
    kind, seed, families, strength, points
        Of the run; `points` are those of its longest series.
    judged : bool
        Whether a rule that is right about its kind exists.
    labels, hits : int
        Spans, and those that were found.
    told : int
        Spans found only by a finding milder than an alarm.
    delays : tuple of float
        Steps from the beginning of a span to that of the finding, as a share of the run.
    right, false : tuple of str
        Rules of the hits, and of the false alarms, one an alarm.
    unsure : bool
        A rule that is right about this kind called itself inconclusive.
    """

    kind: str
    seed: int
    families: dict[str, str]
    strength: float
    points: int
    judged: bool
    labels: int
    hits: int
    told: int
    delays: tuple[float, ...] = ()
    right: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    unsure: bool = False
    messages: tuple[str, ...] = field(default=(), compare=False)

    @property
    def warned(self) -> bool:
        """Whether there was a false alarm."""
        return bool(self.false)


def outcome(case: Labelled, results: Iterable[Finding], known: Iterable[str] = ()) -> Outcome:
    """Match the findings on a run with its labels.

    Parameters
    ----------
    case : Labelled
    results : iterable of Finding
        Every outcome of every rule.
    known : iterable of str
        Rules that there are.
    """
    found = list(results)
    loud = [f for f in found if f.failed and f.severity.rank >= Severity.WARNING.rank]
    low = [f for f in found if f.failed and f.rule in case.accepted and f not in loud]
    alarms = loud + (low if case.least is Severity.INFO else [])
    hit: dict[Span, Finding] = {}
    false: list[str] = []
    for alarm in sorted(alarms, key=lambda f: f.first_step if f.first_step is not None else 0):
        met = [s for s in case.spans if alarm.rule in case.accepted and meets(case, alarm, s)]
        fresh = [s for s in met if s not in hit]
        if fresh:
            hit |= dict.fromkeys(fresh, alarm)
        elif not met and not _follows(case, alarm):
            false.append(alarm.rule)
    quiet = [s for s in case.spans if s not in hit and any(meets(case, f, s) for f in low)]
    unsure = any(f.status is Status.INCONCLUSIVE and f.rule in case.accepted for f in found)
    held = set(known)
    return Outcome(
        case.kind, case.seed, dict(case.families), case.strength, _points(case),
        case.kind == HEALTHY or not held or bool(held & set(case.accepted)),
        len(case.spans), len(hit), len(quiet), _delays(case, hit),
        tuple(f.rule for f in hit.values()), tuple(false), unsure,
        tuple(f"{f.severity.value} {f.rule}: {f.message}" for f in found if f.failed),
    )  # fmt: skip


def meets(case: Labelled, finding: Finding, span: Span) -> bool:
    """Whether a finding is about a span: it begins there, or, of a state, they overlap."""
    first, last = finding.first_step, finding.last_step
    if first is None or last is None:
        return True
    low, high = span.first - case.tolerance, span.last + case.tolerance
    if case.point:
        return low <= first <= high
    return first <= high and last >= low


def _follows(case: Labelled, alarm: Finding) -> bool:
    """Whether an alarm is a consequence of the fault: named as one, and not over before it."""
    if alarm.rule not in case.consequences:
        return False
    begin = case.first_step
    return begin is None or alarm.last_step is None or alarm.last_step >= begin - case.tolerance


def _points(case: Labelled) -> int:
    return max((len(s) for s in case.run.series.values()), default=0)


def _delays(case: Labelled, hit: dict[Span, Finding]) -> tuple[float, ...]:
    reach = case.run.steps or (0, 1)
    length = max(1, reach[1] - reach[0])
    return tuple(
        (f.first_step - s.first) / length for s, f in hit.items() if f.first_step is not None
    )
