"""The rule ``out-of-memory``: GPU memory ran out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from trainlens import words
from trainlens.detect.machine import own_axis, readings
from trainlens.rules._reports import EVENT, is_memory, reported, says_memory, went_on
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Ints, Notice, Run, Series
from trainlens.stats.blocks import Floats


@rule(
    "out-of-memory",
    severity="warning",
    about="speed",
    source="Diffold seed (out-of-memory recovery); counters of torch.cuda.memory_stats",
)
def out_of_memory(run: Run) -> Iterator[Finding]:
    """GPU memory ran out: a count in the log rises, or an error message says so.

    Series named so (num_ooms, oom_count, cuda_oom, ...) are read as counters where they never
    fall within an attempt, else as counts or flags of each step. A counter that rises, or a flag
    that is set, is a warning: the step was lost or repeated. A message that says so, which the
    reader found among the lines or records of the log, is an error where nothing comes after it,
    and a warning where the training went on. So is a report of the training itself
    (anomalies/oom).

    What to do: take smaller batches and accumulate the gradient over more of them; recompute
    activations; look for single inputs that are far longer than the others; and see
    memory-pressure for a leak.
    """
    found = readings(run, "out-of-memory")
    flagged = [s for s in run.with_role("anomaly") if is_memory(s.metric)]
    told = _told(run, flagged)
    yield from (_said(run, told) if told else ())
    for series in found:
        yield _count(series)
    for series in flagged:
        if not _counted(series, found):
            yield _flagged(series)
    if not told and not found and not flagged:
        yield skip("no count of out-of-memory errors in this log, and no such message")


def _told(run: Run, flagged: Iterable[Series]) -> list[Notice]:
    """Messages that say so, without those of reports behind which the training went on."""
    steps = {step for series in flagged for step in reported(series).tolist()}
    return [
        n
        for n in run.notices
        if says_memory(n) and not (n.kind == EVENT and n.step in steps and went_on(run, n))
    ]


def _counted(series: Series, found: Iterable[Series]) -> bool:
    """Whether a count rose wherever a report says so: then both mean the same."""
    steps = reported(series)
    rises = [_counts(s) for s in found if not own_axis(s)]
    return bool(len(steps)) and any(np.isin(steps, at[new > 0]).all() for _, at, new in rises)


def _said(run: Run, told: list[Notice]) -> Iterator[Finding]:
    last = max(told, key=lambda n: (not went_on(run, n), n.step or 0))
    text, step = " ".join(last.message.split()), last.step
    short = text if len(text) <= 200 else f"{text[:199]}…"
    more = f", and {words.plural(len(told) - 1, 'more place')}" if len(told) > 1 else ""
    yield fail(
        f"The log says that memory ran out ({last.where}{more}): {short}",
        first_step=step,
        last_step=step,
        evidence={"messages": len(told)},
        severity="warning" if step is not None and went_on(run, last) else "error",
        confidence=0.95,
    )


def _flagged(series: Series) -> Finding:
    steps = reported(series)
    if not len(steps):
        return passed(f"{series.metric} never says so.", series, evidence={"events": 0})
    first, last = int(steps[0]), int(steps[-1])
    return fail(
        f"The training reported {words.plural(len(steps), 'time')} that memory ran out, at "
        f"{words.steps(first, last)}.",
        series,
        first_step=first,
        last_step=last,
        evidence={"events": len(steps), "records": len(steps)},
        confidence=0.95,
    )


def _count(series: Series) -> Finding:
    value, step, new = _counts(series)
    if not len(value):
        return passed(f"{series.metric} holds no number.", series, evidence={"events": 0})
    at = np.flatnonzero(new > 0)
    if not len(at):
        held = f"{series.metric} stays at {words.number(float(value[-1]))}"
        return passed(f"{held}: memory never ran out.", series, evidence={"events": 0})
    events = round(float(np.sum(np.ceil(new[at]))))
    first, last = int(step[at].min()), int(step[at].max())
    where = words.steps(first, last)
    steps = (None, None) if own_axis(series) else (first, last)
    if len(at) == 1 and at[0] == 0 and len(value) >= 5:
        return fail(
            f"{series.metric} stands at {words.number(float(value[0]))} from the first record on: "
            "memory ran out before it, or this is a setting.",
            series,
            evidence={"events": events, "records": 1},
            severity="info",
            confidence=0.5,
        )
    return fail(
        f"Memory ran out {words.plural(events, 'time')} at {where}, by {series.metric}.",
        series,
        first_step=steps[0],
        last_step=steps[1],
        evidence={"events": events, "records": len(at)},
        confidence=0.95,
    )


def _counts(series: Series) -> tuple[Floats, Ints, Floats]:
    """Counts, their steps, and how often memory ran out at each."""
    good = np.flatnonzero(np.isfinite(series.value) & (series.value >= 0))
    value = series.value[good]
    return value, series.step[good], _new(np.minimum(value, 1e15), series.attempt[good])


def _new(value: Floats, attempt: Ints) -> Floats:
    """Events at each record: the rises of a counter, the values of a count for each step."""
    change = np.diff(value)
    same = np.diff(attempt) == 0
    if not bool((change[same] >= 0).all()):
        return value
    # A counter starts anew with the process: what it then stands at is new as well.
    return np.concatenate([value[:1], np.where(same, change, value[1:])])
