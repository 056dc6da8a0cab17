"""The rule ``stalled-log``: nothing was written for a long time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.detect.ending import finished
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.gaps import Gaps, gaps
from trainlens.stats.noise import median

_UNIX = 1e8
"""Times below this are seconds since the start of a run, not since 1970."""
_MANY = 1000


@rule(
    "stalled-log",
    severity="warning",
    about="log",
    source="SageMaker Debugger StalledTraining (1800 s), made relative to the usual interval",
)
def stalled_log(
    run: Run,
    *,
    seconds: float = 1800.0,
    times: float = 20.0,
    share: float = 0.1,
    now: float | None = None,
) -> Iterator[Finding]:
    """Nothing was written for a long time, within the log or, while it is watched, at its end.

    A gap is an interval without any record of more than `seconds` and of more than `times` the
    usual interval. Restarts that show in the steps, and pauses that come regularly or in which an
    evaluation is written, are none. One gap is an information; three of them, or a `share` of the
    time of the run, a warning.

    At the end of the log only a clock tells: where `now` (Unix seconds) is given, as a monitor
    does, and the run is neither finished nor its log closed, the time since the last record is held
    against the same limits and the longest interval so far.

    What to do: look whether the process still runs and waits (a deadlock of ranks, a data loader,
    a full disk, a queue of the cluster); restart from the last checkpoint if it hangs.

    Settings
    --------
    seconds : s
        What a gap must exceed.
    times : times
        The usual interval: what it must exceed as well.
    share : share of the time of the run
        In gaps: from there on it is a warning.
    now : Unix seconds
        The time at which a log is watched; a monitor gives it.
    """
    series = _densest(run)
    if series is None:
        yield skip("no times in this log")
        return
    known = gaps(series.wall_time, series.attempt, seconds, times)
    if now is not None and known is not None and (found := _at_the_end(run, series, known, now)):
        yield found
        return
    if known is None:
        yield inconclusive("cannot tell: fewer than 8 intervals between the records", series)
        return
    yield _within(run, series, known, share)


def _densest(run: Run) -> Series | None:
    """The training series with the most points of known time."""
    held = [s for s in run.training_series if s.wall_time.strides != (0,)]
    return max(held, key=lambda s: (int(np.isfinite(s.wall_time).sum()), s.metric), default=None)


def _within(run: Run, series: Series, known: Gaps, share: float) -> Finding:
    real = _quiet(run, series, known)
    if not len(real):
        return passed(
            f"Records come every {_time(known.usual)}; no gap above {_time(known.limit)}.",
            series,
            evidence={"usual_seconds": known.usual, "gaps": 0},
        )
    lengths, lost = known.seconds[real], float(known.seconds[real].sum() / known.span)
    worst = real[int(np.argmax(lengths))]
    first, last = int(series.step[known.before[worst]]), int(series.step[known.after[worst]])
    more = f"; {words.plural(len(real), 'such gap')} in all" if len(real) > 1 else ""
    return fail(
        f"Nothing was written for {words.duration(float(lengths.max()))} between "
        f"{words.steps(first, last)}, where a record usually comes every "
        f"{_time(known.usual)}{more}. That is {words.percent(lost, 2)} of the time.",
        series,
        first_step=first,
        last_step=max(first, last),
        evidence={
            "gaps": len(real),
            "longest_seconds": float(lengths.max()),
            "usual_seconds": known.usual,
            "share_of_time": lost,
        },
        severity="warning" if len(real) >= 3 or lost > share else "info",
        confidence=0.8,
    )


def _quiet(run: Run, series: Series, known: Gaps) -> NDArray[np.intp]:
    """Gaps in which no other series was written either, and that are no evaluation."""
    if not len(known.seconds) or len(known.seconds) > _MANY or _regular(series, known):
        return np.empty(0, np.intp)
    start, end = series.wall_time[known.before], series.wall_time[known.after]
    # Where the step does not go on, the run was resumed.
    free = series.step[known.after] > series.step[known.before]
    for other in run.series.values():
        if other is series or other.wall_time.strides == (0,) or other.role.name == "system":
            continue
        time = np.sort(other.wall_time[np.isfinite(other.wall_time)])
        # The records at both ends of a gap belong to it, up to the digits that times have.
        edge = 0.02 * (end - start)
        free &= ~_written(time, start + edge, end - edge)
        if other.split in ("val", "test"):
            # An evaluation is written when it is done; but then most of them take so long.
            done = _written(time, start + edge, end + 2 * known.usual)
            if int(done.sum()) >= 0.5 * len(time):
                free &= ~done
    return np.flatnonzero(free)


def _written(time: Floats, start: Floats, end: Floats) -> NDArray[np.bool_]:
    """Whether any of some times, ascending, lies within each interval."""
    return np.asarray(np.searchsorted(time, end, "right") > np.searchsorted(time, start, "right"))


def _regular(series: Series, known: Gaps) -> bool:
    """Whether gaps come at equal distances in steps, as evaluations and checkpoints do."""
    apart = np.diff(series.step[known.before].astype(np.float64))
    if len(apart) < 2:
        return False
    return bool(np.ptp(apart) <= 0.1 * abs(median(apart)))


def _at_the_end(run: Run, series: Series, known: Gaps, now: float) -> Finding | None:
    span = run.wall_times
    if span is None or span[1] < _UNIX or finished(run):
        return None
    age = now - span[1]
    longest = float(known.seconds.max()) if len(known.seconds) else 0.0
    if not age > max(known.limit, 1.5 * longest):
        return None
    last = int(series.step.max())
    return fail(
        f"Nothing was written for {words.duration(age)}, since step {words.step(last)}; before, a "
        f"record came every {_time(known.usual)}.",
        series,
        first_step=last,
        last_step=last,
        evidence={"seconds": age, "usual_seconds": known.usual, "limit_seconds": known.limit},
        confidence=0.9,
    )


def _time(seconds: float) -> str:
    return words.with_unit(seconds, "s", 2) if seconds < 10 else words.duration(seconds)
