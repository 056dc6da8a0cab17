"""The rule ``step-rewind``: a log that holds several attempts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.gains import t_quantile
from trainlens.stats.noise import mean_error, median, robust_scale
from trainlens.stats.trend import as_share, scale_free


@rule(
    "step-rewind",
    severity="info",
    about="log",
    source="resumed and appended logs among public runs",
)
def step_rewind(run: Run, *, least_change: float = 0.02, z: float = 3.0) -> Iterator[Finding]:
    """The steps go back: the run was resumed from a checkpoint, or a second run was appended.

    Nothing is lost: every point is kept, and the verdicts use the trajectory that led to the last
    weights. A warning where the repeated steps have other values than before, by `least_change`
    and `z` standard errors: the resumed run is not the same run. Few repeated steps must differ by
    more (Student's t), and by more than neighbouring stretches of as many points of this curve.

    What to do: where two runs share a file, give each its own; where a resumed run differs, check
    that optimizer state, schedule, data order and random state come back with the checkpoint.

    Settings
    --------
    least_change : share of the value
        By which repeated steps must differ.
    z : standard errors
        What that must exceed as well.
    """
    series = run.main("loss", "train") or run.main("loss") or _longest(run)
    if series is not None and series.attempts < run.attempts:
        series = _most_attempts(run, series)
    if series is None:
        yield skip("no points in this log")
    elif series.attempts < 2:
        yield passed("The steps never go back.", series)
    else:
        yield _judge(series, least_change, z)


def _longest(run: Run) -> Series | None:
    held = [s for s in run.training_series if s.role.name != "epoch"]
    return max(held, key=len, default=None)


def _most_attempts(run: Run, series: Series) -> Series:
    """A series that shows more of the restarts, counted in the same steps."""
    reach = float(series.step.max()) / 2
    same = [
        s
        for s in run.training_series
        if s.split == series.split and s.role.name != "epoch" and float(s.step.max()) >= reach
    ]
    return max(same, key=lambda s: (s.attempts, s is series, len(s)), default=series)


def _judge(series: Series, least_change: float, z: float) -> Finding:
    starts = np.flatnonzero(np.diff(series.attempt)) + 1
    replaced = int(_replaced(series).sum())
    again = bool((series.step[starts] <= series.step[0]).any())
    kind = "it was started anew" if again else "it was resumed from a checkpoint"
    said = (
        f"The log holds {words.step(series.attempts)} attempts: {kind}. "
        f"{_where(series, starts)}; {words.plural(replaced, 'earlier point')} "
        f"{'is' if replaced == 1 else 'are'} superseded."
    )
    evidence: dict[str, float] = {"attempts": series.attempts, "superseded": replaced}
    overlap = _overlap(series)
    differs = False
    if overlap is not None:
        matched, same, rise, change, error = overlap
        evidence |= {
            "overlap": matched, "identical": same, "median_change": change, "change_error": error,
        }  # fmt: skip
        differs = matched >= 3 and abs(change) > least_change and abs(rise) > z * error
        said += _about(matched, same, change, differs)
    return fail(
        said,
        series,
        first_step=int(series.step[starts].min()),
        last_step=int(max(series.step.max(), series.step[starts].min())),
        evidence=evidence,
        severity="warning" if differs else None,
    )


def _where(series: Series, starts: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> str:
    shown = [
        f"{words.step(int(series.step[i - 1]))} to {words.step(int(series.step[i]))}"
        for i in starts[:3]
    ]
    more = f" and {words.plural(len(starts) - 3, 'more time')}" if len(starts) > 3 else ""
    return f"Steps go back from {', from '.join(shown)}{more}"


def _replaced(series: Series) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Points at or behind the first step of a later attempt."""
    starts = np.flatnonzero(np.diff(series.attempt, prepend=-1))
    first = np.minimum.reduceat(series.step, starts)
    later = np.minimum.accumulate(first[::-1])[::-1]
    behind = np.append(later[1:], np.iinfo(np.int64).max)
    return np.asarray(series.step >= behind[series.attempt])


def _overlap(series: Series) -> tuple[int, int, float, float, float] | None:
    """Superseded points with a successor at the same step.

    How many, how many of them equal, the scale-free change, the same as a share, its error.
    """
    old = series.take(np.flatnonzero(_replaced(series) & np.isfinite(series.value)))
    new = series.finite
    if not len(old) or not len(new):
        return None
    at = np.minimum(np.searchsorted(new.step, old.step), len(new) - 1)
    hit = np.flatnonzero(new.step[at] == old.step)
    if not len(hit):
        return None
    n = len(hit)
    before, after = old.value[hit], new.value[at[hit]]
    value = np.concatenate([before, after, new.value])
    level = scale_free(value)
    change = level[n : 2 * n] - level[:n]
    same = int(np.sum(before == after))
    few = float(np.std(change)) / float(np.sqrt(n)), max(n - 1.0, 1.0)
    error, dof = mean_error(change) if n >= 10 else few
    error *= 1.25  # that of a median
    wander, known = _wander(level[2 * n :], n)
    if not known:
        error *= t_quantile(3.0, dof) / 3.0
    rise = median(change)
    return n, same, rise, as_share(rise, value), max(error, wander)


def _wander(level: NDArray[np.float64], n: int) -> tuple[float, bool]:
    """How far apart stretches of `n` points lie that are `n` points apart; if that is well known.

    A steady slope, which is no wandering, does not count.
    """
    blocks = len(level) // n
    if blocks < 8:
        return 0.0, False
    middle = np.median(level[len(level) - blocks * n :].reshape(blocks, n), axis=1)
    return robust_scale(middle[2:] - middle[:-2]), blocks >= 20


def _about(matched: int, same: int, change: float, differs: bool) -> str:
    if same == matched:
        return f" All {words.plural(matched, 'repeated step')} have the same values as before."
    moved = words.percent(change, 2, signed=True)
    verdict = "more than noise" if differs else "no more than noise"
    return (
        f" {words.plural(matched, 'repeated step')}: the values differ by {moved} (median), "
        f"{verdict}; {words.step(same)} are identical."
    )
