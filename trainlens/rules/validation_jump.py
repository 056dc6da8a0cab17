"""Rule ``validation-jump``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainlens import words
from trainlens.detect.base import Event, Floats
from trainlens.detect.jump import JumpDetector, jump_noise
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "validation-jump",
    severity="warning",
    source="step to the median of the five evaluations before, in units of second differences",
)
def validation_jump(
    run: Run,
    *,
    z: float = 3.5,
    share: float = 0.03,
    large: float = 0.2,
    least_points: int = 8,
    metrics: int = 3,
) -> Iterator[Finding]:
    """A validation loss or metric that is suddenly much worse than before.

    An evaluation is compared with the median of the five before. Its worsening is measured in
    standard deviations of the step-to-step noise of the same curve; from `z` and `share` of the
    level on it is a jump, and the next three evaluations tell whether it came back. It is a
    warning where chance can hardly reach it in so many evaluations, else info. The largest
    worsening above `large` that is within the noise is reported as info, too, so that nobody
    takes it for more than it is.

    Settings: `z`, `share`, `large`, `least_points`, `metrics` (looked at besides the main loss).
    """
    held = _validation_series(run, metrics)
    if not held:
        yield skip("no validation loss or metric with a direction in this log")
    for series in held:
        good = series.finite
        if len(good) < least_points:
            has = f"needs at least {least_points} evaluations, has {len(good)}"
            yield inconclusive(has, series)
        else:
            yield from _findings(_Judgement(series, good, z, share), large)


def _validation_series(run: Run, metrics: int) -> list[Series]:
    """The main validation loss and the first few metrics; of the test split without any."""
    for split in ("val", "test"):
        loss = run.main("loss", split)
        measured = [s for s in run.with_role("metric", split) if s.role.direction][:metrics]
        if loss is not None or measured:
            return ([loss] if loss is not None else []) + measured
    return []


@dataclass(frozen=True)
class _Judged:
    event: Event
    sure: bool


class _Judgement:
    """Jumps of one series with the noise that they are measured in."""

    def __init__(self, series: Series, good: Series, z: float, share: float) -> None:
        self.series, self.good = series, good
        self.worse = -1 if series.role.direction == "max" else 1
        # Accuracies live on a linear scale: near 0 their logs are all noise.
        self.log = self.worse == 1 and bool(np.all(good.value > 0))
        self.y: Floats = np.log(good.value) if self.log else np.clip(good.value, -1e300, 1e300)
        # May be infinite for values near the largest float.
        self.noise = jump_noise(self.y, self.worse)
        detector = JumpDetector(self.worse, log=self.log, noise=self.noise, z=z, share=share)
        self.base, self.z = detector.judge(self.y)
        places = np.arange(len(good))
        found = detector.find(good.step, good.value, places, self.y, self.base, self.z)
        self.events = found + detector.finish()

    @property
    def bar(self) -> float:
        """Standard deviations that chance hardly reaches in so many evaluations."""
        n = len(self.y)
        few = 8 / n if n <= 20 else 0.0
        return min(max(4 + few + 1.2 * math.log10(n / 30), 4.0), 7.0)

    def sure(self, event: Event) -> bool:
        """Whether a jump stands out of the tail of this curve's own noise as well."""
        if len(self.y) < 100:
            return event.z > self.bar
        rest = np.abs(np.delete(self.z, slice(event.first_index, event.first_index + 8)))
        third = float(np.sort(rest)[-3]) if len(rest) >= 3 else 0.0
        return event.z > max(self.bar, 1.2 * third)

    @cached_property
    def changes(self) -> Floats:
        """Worsening of each evaluation from the one before as a share of it, shape (n - 1,)."""
        value, before = self.good.value[1:], self.good.value[:-1]
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            share = self.worse * (value - before) / np.abs(before)
        share[before == 0] = 0.0
        return np.minimum(np.maximum(share, -1e308), 1e308)

    def change(self, i: int) -> float:
        """Worsening of evaluation `i`, from 1 on."""
        return float(self.changes[i - 1])

    def noise_at(self, i: int) -> float:
        """Step-to-step noise in the unit of the metric, around one evaluation."""
        noise = self.noise * float(np.exp(self.base[i])) if self.log else self.noise
        return float(min(noise, 1e308))


def _findings(judged: _Judgement, large: float) -> Iterator[Finding]:
    if judged.events:
        for event in judged.events:
            yield _finding(judged, event.first_index, event, judged.sure(event))
        return
    # Not the second one: the first evaluation may be of an untrained model.
    later = judged.changes[1:]
    at = 2 + int(later.argmax()) if len(later) else 0
    if at and judged.change(at) > large:
        yield _finding(judged, at, None, False)
        return
    top = float(judged.z.max())
    yield passed(
        f"no jump in {words.plural(len(judged.y), 'evaluation')}; the largest worsening was "
        f"{words.number(max(top, 0.0), 2)} sigma",
        judged.series,
        evidence={"points": len(judged.y), "largest_z": min(top, 1e9)},
    )


def _finding(judged: _Judgement, at: int, event: Event | None, sure: bool) -> Finding:
    series, value, step = judged.series, judged.good.value, judged.good.step
    before, after, noise = float(value[at - 1]), float(value[at]), judged.noise_at(at)
    z = min(max(float(judged.z[at]), -1e9), 1e9)
    back = event.recovered_step if event else _back(judged, at)
    unit = series.role.unit
    rose = "rose" if judged.worse == 1 else "fell"
    change = f", {words.percent(judged.change(at) * judged.worse, signed=True)}" if before else ""
    with np.errstate(over="ignore"):
        difference = float(np.clip(np.float64(after) - before, -1e308, 1e308))
    message = (
        f"{series.metric} {rose} from {words.number(before)} to {words.with_unit(after, unit)} "
        f"({words.signed(difference)}{change}) at step {words.step(int(step[at]))}"
        f"{_return(judged, event, back)}. The step-to-step noise of this run is "
        f"{words.with_unit(noise, unit, 3)}, so this is {words.number(max(z, 0.0), 2)} sigma above "
        f"the evaluations before{_meaning(sure, z, judged.bar)}"
    ).replace("sigma above", "sigma above" if judged.worse == 1 else "sigma below")
    last = int(step[at]) if back is None else back
    return fail(
        message,
        series,
        first_step=int(step[at]) if sure else int(step[at - 1]),
        last_step=max(last, event.last_step if event else last),
        evidence={
            "before": before,
            "value": after,
            "change": difference,
            "share": judged.change(at) * judged.worse,
            "level": float(np.exp(judged.base[at])) if judged.log else float(judged.base[at]),
            "z": z,
            "noise": noise,
            "evaluations": len(value),
        },
        severity=None if sure else "info",
        confidence=min(max(z / (z + 2), 0.5), 0.99) if sure else 0.3,
    )


def _back(judged: _Judgement, at: int) -> int | None:
    """First of the next evaluations that is half-way back to the level before."""
    y = judged.worse * (judged.y / 4)  # a quarter, so that no difference overflows
    half = (y[at] - y[at - 1]) / 2
    later = y[at + 1 :] - y[at - 1]
    home = np.flatnonzero(later <= half)
    return int(judged.good.step[at + 1 + home[0]]) if len(home) else None


def _return(judged: _Judgement, event: Event | None, back: int | None) -> str:
    if back is not None:
        at = int(np.searchsorted(judged.good.step, back))
        value = words.with_unit(float(judged.good.value[at]), judged.series.role.unit)
        return f" and came back at step {words.step(back)} ({value})"
    if event is not None and event.kind == "shift":
        return " and stayed there"
    return " and had not come back by the last evaluation"


def _meaning(sure: bool, z: float, bar: float) -> str:
    if sure:
        return ": chance hardly explains it."
    if z < 2:
        return ": one jump of this size in such a run is not unusual."
    if z < bar:
        return ": in so many evaluations chance may reach that."
    return ", but other steps of this curve are as large."
