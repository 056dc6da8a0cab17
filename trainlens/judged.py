"""What remains of a judged run when its points are let go, and the verdict of several runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainlens import verdict, words
from trainlens.compact import Compact
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, gravity
from trainlens.run import Ended, Notice
from trainlens.traces import EMPTY, Trace, trace


@dataclass(frozen=True, slots=True)
class Judged(Compact):
    """A run as every output speaks of it, without its points.

    Parameters
    ----------
    name, source, format : str
    steps : (first, last) or None
    attempts : int
    verdict : str
        See `Diagnosis.verdict`.
    sentence : str
        What to know about it in one or two sentences.
    gravest : str
        Its gravest warning or error alone; empty without one.
    reason : str
        Why it cannot be judged, where it cannot.
    profile : str
    results : tuple of Finding
        Every outcome of every rule.
    findings : tuple of Finding
        The faults that count, the gravest and surest first.
    notices : tuple of Notice
    used : tuple of str
        What a user said of metrics that this run has.
    trace : Trace
        What can be compared with other runs.
    ended : Ended or None
        As the log itself says it.
    """

    name: str
    source: str
    format: str
    steps: tuple[int, int] | None
    attempts: int
    verdict: str
    sentence: str
    gravest: str
    reason: str
    profile: str
    results: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    notices: tuple[Notice, ...]
    used: tuple[str, ...] = ()
    trace: Trace = EMPTY
    ended: Ended | None = None

    @property
    def suppressed(self) -> tuple[Finding, ...]:
        """The faults that do not count."""
        return tuple(f for f in self.results if f.suppressed)

    @property
    def flagged(self) -> bool:
        """Whether it needs somebody's attention."""
        return self.verdict in ("failing", "warning")


def judged(diagnosis: Diagnosis) -> Judged:
    """A diagnosis without the points of its run."""
    run = diagnosis.run
    return Judged(
        name=run.name,
        source=run.source,
        format=run.format,
        steps=run.steps,
        attempts=run.attempts,
        verdict=diagnosis.verdict,
        sentence=verdict.sentence(diagnosis),
        gravest=verdict.gravest(diagnosis),
        reason=verdict.reason(diagnosis),
        profile=diagnosis.profile,
        results=diagnosis.results,
        findings=diagnosis.findings,
        notices=run.notices,
        used=diagnosis.used,
        trace=trace(run, diagnosis.results),
        ended=run.ended,
    )


def pointless(given: Iterable[Diagnosis | Judged]) -> list[Judged]:
    """Judged runs, whatever came in."""
    return [judged(d) if isinstance(d, Diagnosis) else d for d in given]


def overall(given: Iterable[Diagnosis | Judged]) -> str:
    """What to know about all runs together.

    Parameters
    ----------
    given : iterable of Diagnosis or Judged

    Returns
    -------
    str
        The verdict of the run where there is one; else how many need attention, which, and why.
    """
    runs = pointless(given)
    if not runs:
        return "Cannot tell: there is no run here."
    if len(runs) == 1:
        return runs[0].sentence
    unknown = [d for d in runs if d.verdict == "inconclusive"]
    if any(d.flagged for d in runs):
        return _attention(runs, unknown)
    if len(unknown) == len(runs):
        return f"Cannot tell for any of the {words.step(len(runs))} runs: {unknown[0].reason}."
    if unknown:
        return (
            f"{words.step(len(runs) - len(unknown))} of {words.step(len(runs))} runs look healthy "
            f"so far; {words.plural(len(unknown), 'run')} cannot be judged."
        )
    every = "Both" if len(runs) == 2 else f"All {words.step(len(runs))}"
    return f"{every} runs look healthy so far."


def _attention(runs: Sequence[Judged], unknown: Sequence[Judged]) -> str:
    failing = [d for d in runs if d.verdict == "failing"]
    warned = [d for d in runs if d.verdict == "warning"]
    all_of_them = f" of {words.step(len(runs))} runs"
    counts = []
    if failing:
        counts.append(f"{_count(failing)}{all_of_them} {_agree(failing, 'fails', 'fail')}")
    if warned:
        of = "" if failing else all_of_them
        counts.append(f"{_count(warned)}{of} {_agree(warned, 'needs', 'need')} a look")
    healthy = len(runs) - len(failing) - len(warned) - len(unknown)
    if healthy:
        counts.append(f"{words.step(healthy)} {_agree(range(healthy), 'looks', 'look')} healthy")
    if unknown:
        counts.append(f"{_count(unknown)} cannot be judged")
    worst = min(failing or warned, key=lambda d: gravity(d.findings[0]))
    return f"{'; '.join(counts)}. {words.shortened(worst.name)}: {worst.gravest or worst.sentence}"


def _count(runs: Sequence[Judged]) -> str:
    return words.step(len(runs))


def _agree(things: Sequence[object], one: str, many: str) -> str:
    return one if len(things) == 1 else many
