"""Facts that only several runs together show: the same rise at the same step, the same values.

Everything here is a function of the small traces that judged runs keep (`trainlens.traces`), so
it costs as much as there are traces, wherever the runs were read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from trainlens.across.coincidence import Shared, told
from trainlens.across.replicas import Copies, copies
from trainlens.judged import Judged, pointless
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Key, Notice
from trainlens.stats.binomial import tail
from trainlens.traces import OF_ONE_STEP, Rise

__all__ = ["Across", "Shared", "compared"]

R = TypeVar("R", Judged, Diagnosis)
Kind = tuple[str, str, str]
"""Rule, metric and split."""

_POINTS = 3
"""Events so many logged points apart may be the same one."""
_MANY = 32
"""So many runs with the same event are looked at one by one."""
_NOTED = 0.1
"""Chance of a coincidence below which it is worth a word."""


class Across:
    """What some runs have in common.

    Parameters
    ----------
    runs : sequence of Judged
    """

    def __init__(self, runs: Sequence[Judged]) -> None:
        self._runs = runs
        self.copies: Copies = copies([(r.name, r.trace.prints) for r in runs])
        self._places: dict[Kind, list[tuple[int, int, Rise]]] = {}
        for i, run in enumerate(runs):
            for rise in run.trace.rises:
                key = (rise.rule, rise.metric, rise.split)
                self._places.setdefault(key, []).append((rise.step, i, rise))
        for held in self._places.values():
            held.sort(key=lambda entry: entry[:2])
        self._logged = _Logged(runs, self.copies)

    def shared(self, run: int, finding: Finding) -> Shared | None:
        """The same event as that of a finding in other runs; None where chance explains it.

        Parameters
        ----------
        run : int
            Index of the run that has the finding.
        finding : Finding
        """
        if finding.rule not in OF_ONE_STEP or finding.first_step is None or not finding.failed:
            return None
        if "period" in finding.evidence:
            return None  # what comes back regularly meets others by its rhythm
        found = [self._around(run, rise) for rise in self._own(run, finding)]
        held = [s for s in found if s is not None and s.chance < _NOTED]
        return min(held, key=lambda s: (s.chance, s.step), default=None)

    def _own(self, run: int, finding: Finding) -> list[Rise]:
        """The events of a run that a finding is about."""
        rule = "loss-spike" if finding.rule == "outlier" else finding.rule
        first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
        return [
            r
            for r in self._runs[run].trace.rises
            if (r.rule, r.metric, r.split) == (rule, finding.metric, finding.split)
            and first <= r.step <= last
        ]

    def _around(self, run: int, rise: Rise) -> Shared | None:
        key = (rise.rule, rise.metric, rise.split)
        interval = self._logged.interval(run, key[1:])
        others, count = self._others(run, rise, _POINTS * interval)
        if not others:
            return None
        away = max(abs(held.step - rise.step) for held in others.values())
        width = 2 * away + interval
        agreeing = max(len({self.copies.group(i) for i in others}), count)
        able = max(agreeing, self._logged.covering(run, key[1:], rise.step))
        rate = min(1.0, len(self._places[key]) * width / self._logged.exposure(key[1:]))
        own = sum(1 for r in self._runs[run].trace.rises if r.rule == rise.rule)
        return Shared(
            rise.rule,
            rise.step,
            tuple(self._runs[i].name for i in sorted(others)[:3]),
            max(len(others), count),
            able,
            min(1.0, own * tail(able, agreeing, rate)),
            rise.steered or any(held.steered for held in others.values()),
        )

    def _others(self, run: int, rise: Rise, near: int) -> tuple[dict[int, Rise], int]:
        """Other runs that rise near a step, of very many the first; and how many there are."""
        places = self._places[rise.rule, rise.metric, rise.split]
        begin = bisect_left(places, rise.step - near, key=lambda entry: entry[0])
        end = bisect_left(places, rise.step + near + 1, key=lambda entry: entry[0])
        found: dict[int, Rise] = {}
        for _, other, held in places[begin : min(end, begin + _MANY)]:
            if other != run and self._independent(run, rise, other, held):
                found.setdefault(other, held)
        return found, end - begin - 1 if end - begin > _MANY else 0

    def _independent(self, run: int, rise: Rise, other: int, held: Rise) -> bool:
        if self.copies.group(run) == self.copies.group(other):
            return False
        own, data = self._runs[run].trace.data, self._runs[other].trace.data
        return (not own or not data or own == data) and not self._same(run, rise, other, held)

    def _same(self, run: int, rise: Rise, other: int, held: Rise) -> bool:
        """Whether it is the same record in two copies of one log, not the same event twice."""
        return self.copies.related(run, other) and (rise.step, rise.value) == (
            held.step,
            held.value,
        )

    def sentence(self, run: int, finding: Finding) -> str:
        """What to know about a finding from the other runs, empty without anything."""
        found = self.shared(run, finding)
        if found is None:
            return ""
        rest = "what the runs share there, such as the data, is a likelier cause than chance."
        if found.steered:
            rest = "the learning rate jumped there in all of them, and they share the data."
        return f"The same at this step in {found.named}: {rest}"

    def finding(self, run: int, finding: Finding) -> Finding:
        """A finding with what the other runs tell about its cause."""
        found = self.shared(run, finding)
        if found is None:
            return finding
        causes, prescriptions = told(found, finding)
        if causes[0] in finding.causes:
            return finding  # told before
        return replace(finding, causes=causes, prescriptions=prescriptions)

    def notices(self, run: int) -> tuple[Notice, ...]:
        """What is to be said of a run that has the values of others."""
        text = self.copies.told(run)
        if any(n.kind == "identical" for n in self._runs[run].notices):
            return ()  # told before
        return (Notice("identical", self._runs[run].source, text, 0),) if text else ()


class _Logged:
    """Where each series was logged, by how many runs that are no copies of each other."""

    def __init__(self, runs: Sequence[Judged], held: Copies) -> None:
        self._interval: dict[tuple[int, Key], int] = {}
        self._first: dict[tuple[Key, bytes], list[int]] = {}
        self._last: dict[tuple[Key, bytes], list[int]] = {}
        self._steps: dict[Key, int] = {}
        self._data = [r.trace.data for r in runs]
        for i, run in enumerate(runs):
            for key, (first, last, interval) in _spans(run).items():
                self._interval[i, key] = interval
                self._steps[key] = self._steps.get(key, 0) + last - first + 1
                if held.group(i) == i:
                    self._first.setdefault((key, self._data[i]), []).append(first - interval)
                    self._last.setdefault((key, self._data[i]), []).append(last + interval)
        for bounds in (*self._first.values(), *self._last.values()):
            bounds.sort()

    def interval(self, run: int, key: Key) -> int:
        """Steps between two points of a series."""
        return self._interval.get((run, key), 1)

    def exposure(self, key: Key) -> int:
        """Steps that all runs logged of a series, together."""
        return max(1, self._steps.get(key, 1))

    def covering(self, run: int, key: Key, step: int) -> int:
        """How many other runs, on the same data as far as is known, logged a series at a step."""
        own = self._data[run]
        count = 0
        for (held, data), first in self._first.items():
            if held == key and (not own or not data or own == data):
                count += bisect_right(first, step) - bisect_left(self._last[held, data], step)
        return max(0, count - 1)


def _spans(run: Judged) -> Mapping[Key, tuple[int, int, int]]:
    held = {(p.metric, p.split): (p.first, p.last, p.interval) for p in run.trace.prints}
    for rise in run.trace.rises:  # of a series without a print, the span of the run has to do
        first, last = run.steps or (rise.step, rise.step)
        held.setdefault((rise.metric, rise.split), (first, last, max(1, (last - first) // 1000)))
    return held


def compared(runs: Iterable[R]) -> list[R]:
    """Judged runs, each with what the others tell about it.

    Parameters
    ----------
    runs : iterable of Judged or of Diagnosis

    Returns
    -------
    list of the same kind, in the same order
        Causes of faults that several runs share at one step name the other runs; runs that hold
        the same values have a notice of the kind ``identical``.
    """
    given = list(runs)
    if len(given) < 2:
        return given
    across = Across(pointless(given))
    return [_compared(across, i, run) for i, run in enumerate(given)]


def _compared(across: Across, i: int, run: Judged | Diagnosis) -> Any:
    changed = {
        id(f): new for f in run.results if f.failed and (new := across.finding(i, f)) is not f
    }
    notices = across.notices(i)
    if not changed and not notices:
        return run
    results = tuple(changed.get(id(f), f) for f in run.results)
    if isinstance(run, Diagnosis):
        held = replace(run.run, notices=(*run.run.notices, *notices))
        return replace(run, run=held, results=results)
    findings = tuple(changed.get(id(f), f) for f in run.findings)
    notices = (*run.notices, *notices)
    return replace(run, results=results, findings=findings, notices=notices)
