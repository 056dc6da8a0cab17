"""What else happened right before a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect.layers import gradient_norm
from trainlens.prescribe.signs.look import named, points_back
from trainlens.run import Floats, Ints, Run, Series
from trainlens.stats.noise import median, robust_scale

BEFORE = 20
"""Logged points before an event in which its cause is looked for."""


@dataclass(frozen=True)
class Norm:
    """The gradient norm around an event.

    Parameters
    ----------
    when : {"before", "with", "quiet"}
        Whether it stood out before the event, with it only, or not at all.
    step : int
        Where it was largest, before the event or with it.
    usual, peak : float
    """

    when: str
    step: int
    usual: float
    peak: float

    @property
    def times(self) -> float:
        """The peak in units of the usual norm."""
        return self.peak / self.usual if self.usual > 0 else float("inf")


def norm_around(run: Run, series: Series, first: int, last: int) -> Norm | None:
    """The gradient norm around an event of a series, None where the log does not tell.

    It stands out at 3 times the median of the norms before and 5 robust standard deviations of
    their logs.
    """
    logged = gradient_norm(run)
    if logged is None:
        return None
    held = logged.effective
    bad = ~np.isfinite(held.value)
    positive = held.take(np.flatnonzero(bad | (held.value > 0)))
    since = points_back(series, first, BEFORE)
    begin, at, end = np.searchsorted(positive.step, [since, first, last + 1])
    known = positive.value[max(0, begin - 101) : begin]
    known = known[np.isfinite(known)]
    if len(known) < 5 or at == begin:
        return None
    log = np.log(known)
    usual = median(log)
    limit = usual + max(np.log(3.0), 5 * robust_scale(log))
    value = np.where(np.isfinite(positive.value), positive.value, 1e308)
    for when, a, b in (("before", begin, at), ("with", at, end)):
        if b > a and np.log(value[a:b].max()) > limit:
            top = int(a + np.argmax(value[a:b]))
            return Norm(when, int(positive.step[top]), float(np.exp(usual)), float(value[top]))
    top = int(begin + np.argmax(value[begin:at]))
    return Norm("quiet", int(positive.step[top]), float(np.exp(usual)), float(value[top]))


def resumed(series: Series, step: int, back: int = BEFORE) -> int | None:
    """Step at which the attempt that holds `step` was started over, if it is not long ago."""
    if series.attempts < 2:
        return None
    starts = np.flatnonzero(np.diff(series.attempt)) + 1
    since = points_back(series, step, back)
    # A start from the first step is a new training, with nothing to be restored.
    near = [int(s) for s in series.step[starts] if since <= s <= step and s > series.step[0]]
    return near[-1] if near else None


def new_epoch(run: Run, series: Series, step: int, within: int = 3) -> int | None:
    """The epoch that began with the last few points up to a step, None where none did."""
    base = series.effective
    at = int(np.searchsorted(base.step, step))
    if at >= len(base):
        return None
    epoch = base.epoch[max(at - within, 0) : at + 1]
    if np.isnan(epoch).any():
        epoch = _logged_epoch(run, base.step[max(at - within, 0) : at + 1])
    if len(epoch) < 2 or not np.isfinite(epoch).all() or len(base) < 3 * within:
        return None
    if _every_point(base, run):
        return None
    return int(np.floor(epoch[-1])) if np.floor(epoch[-1]) > np.floor(epoch[0]) else None


def _logged_epoch(run: Run, step: Ints) -> Floats:
    logged = run.main("epoch", "train") or run.main("epoch")
    if logged is None or not len(logged.finite):
        return np.empty(0)
    held = logged.finite
    at = np.searchsorted(held.step, step, "right") - 1
    return np.where(at >= 0, held.value[np.maximum(at, 0)], np.nan)


def _every_point(base: Series, run: Run) -> bool:
    """Whether epochs begin so often that one begins before every event."""
    known = base.epoch[np.isfinite(base.epoch)]
    if len(known) < 2:
        logged = run.main("epoch", "train") or run.main("epoch")
        known = logged.finite.value if logged is not None else known
    epochs = float(known[-1] - known[0]) if len(known) > 1 else 0.0
    return epochs > len(base) / 12


@dataclass(frozen=True)
class Fall:
    """A series that fell: from, to, and the step of the lowest value."""

    series: Series
    step: int
    before: float
    after: float


_SCALES = "(?:loss|grad|gradient|amp)_scaler?s?(?:_scale)?|scaler_scale|scaler?_value"


def overflow(run: Run, step: int, after: int = 0) -> Fall | None:
    """Whether the loss scale of mixed precision collapsed up to a step (and `after` beyond it).

    To a 64th of its usual value, or to 1 and below from above.
    """
    for series in named(run, _SCALES):
        held = series.finite
        seen = held.take(np.flatnonzero((held.step <= step + after) & (held.value > 0)))
        if len(seen) < 2:
            continue
        usual, low = float(seen.value.max()), int(np.argmin(seen.value))
        value = float(seen.value[low])
        if value < usual and (value <= usual / 64 or value <= 1.0) and _later(seen, low, usual):
            return Fall(series, int(seen.step[low]), usual, value)
    return None


def _later(seen: Series, low: int, usual: float) -> bool:
    """Whether the low value comes after the usual one: a scale that grows from 1 is no fall."""
    return bool((seen.value[:low] == usual).any())


_PHASES = (
    "(?:data|training|train|curriculum)_(?:phase|stage|mix|mixture|source|shard|epoch_id)"
    "|curriculum(?:_difficulty)?|phase|stage|data_?set_(?:id|index)|shard(?:_id|_index)?"
    "|seq(?:uence)?_len(?:gth)?|batch_size|(?:image|img)_size|resolution|difficulty"
)


def new_phase(run: Run, series: Series, step: int, back: int = BEFORE) -> Fall | None:
    """A logged stage of the data (curriculum, shard, length, batch size) that just changed."""
    since = points_back(series, step, back)
    for held in named(run, _PHASES):
        if held.role.direction:
            continue
        base = held.finite
        changed = np.flatnonzero(np.diff(base.value) != 0) + 1
        near = [i for i in changed if since <= base.step[i] <= step]
        if near and len(changed) <= max(20, len(base) // 20):
            i = int(near[-1])
            before, after = float(base.value[i - 1]), float(base.value[i])
            return Fall(held, int(base.step[i]), before, after)
    return None


@dataclass(frozen=True)
class Broken:
    """A series that is not a number from a step on."""

    series: Series
    step: int


def broken_before(run: Run, step: int, but: Series | None = None) -> tuple[Broken, ...]:
    """Series that turned NaN or infinite before a step and stayed so up to it, the first first.

    Parameters
    ----------
    run : Run
    step : int
    but : Series, optional
        Not this one.
    """
    found = []
    for series in run.series.values():
        if but is not None and (series.metric, series.split) == (but.metric, but.split):
            continue
        if series.role.name in ("system", "epoch", "progress"):
            continue
        since = _bad_since(series, step)
        if since is not None:
            found.append(Broken(series, since))
    return tuple(sorted(found, key=lambda b: b.step))


def _bad_since(series: Series, step: int) -> int | None:
    base = series.effective
    end = int(np.searchsorted(base.step, step, "right"))
    bad = ~np.isfinite(base.value[:end])
    if end < 2 or not bad[-1] or bad.all():
        return None
    good = np.flatnonzero(~bad)
    first = int(good[-1]) + 1
    # A value that is computed only now and then is NaN in between.
    sparse = np.count_nonzero(np.diff(bad.astype(np.int8))) > 3
    return None if sparse or base.step[first] > step else int(base.step[first])


def waiting(
    run: Run, first: int | None, last: int | None, least: float = 0.0
) -> tuple[float, float] | None:
    """Share of the time that steps waited for data: where it went wrong, and otherwise.

    Parameters
    ----------
    run : Run
    first, last : int or None
        Where it went wrong.
    least : float
        Time from which a step there is one of those that did; the median where that is longer.

    Returns
    -------
    (share there, share elsewhere), or None where the log does not tell
    """
    times, waits = run.main("batch-time"), run.main("data-time")
    if times is None or waits is None or first is None or times.unit != waits.unit:
        return None
    t, w = times.finite, waits.finite
    step, at, of = np.intersect1d(t.step, w.step, return_indices=True)
    total, wait = t.value[at], w.value[of]
    good = (total > 0) & (wait >= 0)
    inside = (step >= first) & (step <= (first if last is None else last))
    inside &= total >= max(least, median(total)) if len(total) else inside
    if not (inside & good).any() or not (~inside & good).any():
        return None
    shares = [float(np.sum(wait[m]) / np.sum(total[m])) for m in (inside & good, ~inside & good)]
    return min(shares[0], 1.0), min(shares[1], 1.0)
