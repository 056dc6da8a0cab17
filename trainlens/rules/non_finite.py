"""Rule ``non-finite``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.base import Event
from trainlens.detect.non_finite import MACHINE, NonFiniteDetector
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Ints, Run, Series
from trainlens.stats.noise import median

_SKIPPED = "skipped_updates"


@rule(
    "non-finite",
    severity="error",
    about="numbers",
    source="any value that is not finite, as in SageMaker Debugger's ExplodingTensor",
)
def non_finite(run: Run) -> Iterator[Finding]:
    """NaN or infinity in a loss, a gradient norm or a metric.

    Every logged point is looked at, those of superseded attempts too. In a loss it is an error
    (info where only an attempt that was started over had it, and training then went on); in a
    gradient norm or a metric a warning. Info only: a metric that is never a number or that is
    NaN where it was not computed (every other row, or padding at the end), single infinite
    gradient norms, which mixed-precision loss scaling produces and skips, and what a guard kept
    from the weights: a count skipped_updates rises wherever the value is no number.
    """
    looked = [s for s in run.series.values() if len(s) and s.role.name not in MACHINE]
    if not looked:
        yield skip("no loss, gradient norm or metric in this log")
        return
    sick = [s for s in looked if not np.isfinite(s.value).all()]
    sick.sort(key=lambda s: (s.role.name != "loss", s.split != "train", -s.role.priority))
    kept_out = _skipped(run)
    for held in sick:
        yield _finding(held, kept_out)
    if not sick:
        points, series = sum(len(s) for s in looked), len(looked)
        yield passed(
            f"all {words.plural(points, 'value')} of {words.plural(series, 'series', 'series')} "
            "are finite",
            evidence={"points": points, "series": series},
        )


def _finding(series: Series, kept_out: Ints) -> Finding:
    detector = NonFiniteDetector()
    events = detector.update(series.step, series.value) + detector.finish()
    count = detector.nans + detector.infinities
    severity, remark = _judge(series, events, detector)
    if _harmless(series, kept_out):
        severity, remark = "info", " The update was skipped each time: no weight has seen it."
    first, last = events[0], events[-1]
    message = (
        f"{series.split}/{series.metric} is {_kinds(detector)} in {words.step(count)} of "
        f"{words.plural(detector.seen, 'point')} ({words.percent(count / detector.seen)}), first "
        f"at step {words.step(first.first_step)}; {_before(first)}. "
        f"{_after(series, last)}{remark}"
    )
    return fail(
        message,
        series,
        first_step=min(e.first_step for e in events),
        last_step=max(e.last_step for e in events),
        evidence=_evidence(detector, first, last),
        severity=severity,
        confidence=1.0 if severity != "info" else 0.7,
    )


def _skipped(run: Run) -> Ints:
    """Steps of the records in which a count of skipped updates rises."""
    counts = [s for s in run.series.values() if s.metric.rpartition("/")[2] == _SKIPPED]
    risen = [
        s.step[
            (np.diff(s.value, prepend=0.0) > 0) & (np.diff(s.attempt, prepend=s.attempt[:1]) == 0)
        ]
        for s in counts
    ]
    return np.unique(np.concatenate(risen)) if risen else np.empty(0, dtype=np.int64)


def _harmless(series: Series, kept_out: Ints) -> bool:
    """Whether all that is no number belongs to updates that were not made."""
    bad = ~np.isfinite(series.value)
    ended = bool(bad[-1]) and len(bad) > 1 and bool(bad[-2])
    return not ended and bool(np.isin(series.step[bad], kept_out).all())


def _kinds(detector: NonFiniteDetector) -> str:
    if not detector.infinities:
        return "NaN"
    return "NaN or infinite" if detector.nans else "infinite"


def _before(first: Event) -> str:
    if np.isfinite(first.baseline):
        return f"the last finite value before was {words.number(first.baseline)}"
    return "there is no finite value before"


def _after(series: Series, last: Event) -> str:
    if last.recovered_step is None:
        return "It stays so to the end of the log."
    return f"It was finite again from step {words.step(last.recovered_step)} on."


def _judge(
    series: Series, events: list[Event], detector: NonFiniteDetector
) -> tuple[str | None, str]:
    """Severity (None = error) and what is to be said about it."""
    role = series.role.name
    count, ended = detector.nans + detector.infinities, events[-1].recovered_step is not None
    if series.attempts > 1 and np.isfinite(series.effective.value).all():
        said = " Only points that a later attempt replaced are concerned."
        return "info", said
    if role == "loss":
        if _absent(series):
            return ("warning" if series.split == "train" else "info"), _ABSENT
        return None, ""
    if role == "gradient-norm":
        rare = count <= max(3, 0.02 * detector.seen)
        if ended and rare and not detector.nans and all(e.points <= 3 for e in events):
            said = " Single infinite norms are usual with mixed-precision loss scaling."
            return "info", said
        return "warning", ""
    if count == detector.seen:
        return "info", " It never was a number: it is probably not computed in this run."
    return ("info", _ABSENT) if _absent(series) or _padded(series) else ("warning", "")


_ABSENT = " The pattern is that of a value that is not computed at these steps."


def _absent(series: Series) -> bool:
    """Whether NaN marks the rows at which a value is not computed: finite ones come regularly."""
    bad = np.isnan(series.value)
    good = np.flatnonzero(~bad)
    if np.isinf(series.value).any() or len(good) < 3 or bad.mean() < 0.3:
        return False
    gaps = np.diff(good)
    usual = median(gaps)
    steady = float(np.mean(gaps == usual)) > 0.9 and usual >= 2
    return bool(steady and len(bad) - 1 - good[-1] <= 2 * usual)


def _padded(series: Series) -> bool:
    """Whether all NaNs lie in one stretch at the end or at the beginning."""
    bad = np.isnan(series.value)
    turns = int(np.count_nonzero(np.diff(bad.astype(np.int8))))
    return not np.isinf(series.value).any() and turns == 1


def _evidence(detector: NonFiniteDetector, first: Event, last: Event) -> dict[str, float]:
    count = detector.nans + detector.infinities
    numbers: dict[str, float] = {
        "count": count,
        "nan": detector.nans,
        "infinite": detector.infinities,
        "points": detector.seen,
        "share": count / detector.seen,
    }
    if np.isfinite(first.baseline):
        numbers["last_finite_value"] = first.baseline
    if last.recovered_step is not None:
        numbers["recovered_step"] = last.recovered_step
    return numbers
