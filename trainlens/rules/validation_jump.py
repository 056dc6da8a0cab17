"""Rule ``validation-jump``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainlens import words
from trainlens.detect.base import Event, Floats, Ints
from trainlens.detect.companion import Companion, training_at
from trainlens.detect.context import warm_restart
from trainlens.detect.jump import JumpDetector, jump_noise
from trainlens.detect.layers import only_guesses
from trainlens.rules._evaluations import each_judged
from trainlens.rules.base import Finding, fail, passed, rule
from trainlens.run import Run, Series
from trainlens.stats.counting import counting_noise

_EVENT = 8  # evaluations from a jump on that are not taken for the noise of the curve
_LOOKED_AT = 40  # of the largest jumps, for what else happened there
_VERY_FEW = 18  # fewer evaluations do not tell their own noise well


@rule(
    "validation-jump",
    severity="warning",
    about="validation",
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
    most: int = 5,
) -> Iterator[Finding]:
    """A validation loss or metric that is suddenly much worse than before.

    An evaluation is compared with the median of the five before. Its worsening is measured in
    standard deviations of the step-to-step noise of the same curve; from `z` and `share` of the
    level on it is a jump, and the next three evaluations tell whether it came back. It is a
    warning where chance can hardly reach it in so many evaluations (of more than 20, a lone one
    must lie farther out than several in a row), else info; an error where a measure of quality
    collapses to a hundredth and does not come back. A share of correct answers among few samples
    is as noisy as counting them. Where the learning rate was restarted just before, a rise is
    expected and info; so is it where the training loss rose about as much and the evaluations
    came back later: the model was worse for a while, and was measured well; so it is where the
    training loss never left what guessing gives. The largest worsening above `large` that is
    within the noise is reported as info, too, so that nobody takes it for more than it is.

    What to do: look at the evaluation itself first (the same data in the same order, moving
    statistics, which weights were loaded), then at what changed in training at that step.

    Settings
    --------
    z : standard deviations of the noise
        What a jump must exceed.
    share : share of the level
        What it must exceed as well.
    large : share of the level
        A worsening within the noise that is told all the same.
    least_points : evaluations
        Fewer are not judged.
    metrics : measures
        Looked at besides the main loss.
    most : findings
        Of one curve; the largest are kept.
    """
    yield from each_judged(
        _validation_series(run, metrics),
        least_points,
        "no validation loss or metric with a direction in this log",
        lambda series, good: _findings(run, _Judgement(series, good, z, share), large, most),
    )


def _validation_series(run: Run, metrics: int) -> list[Series]:
    """The main validation loss and the first few metrics; of the test split without any."""
    for split in ("val", "test"):
        loss = run.main("loss", split)
        measured = [s for s in run.with_role("metric", split) if s.role.direction][:metrics]
        if loss is not None or measured:
            return ([loss] if loss is not None else []) + measured
    return []


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
        self.events = self._events(z, share)
        if self.events and self.worse == -1 and (floor := counting_noise(good.value)) > self.noise:
            self.noise = floor
            self.events = self._events(z, share)

    def _events(self, z: float, share: float) -> list[Event]:
        detector = JumpDetector(self.worse, log=self.log, noise=self.noise, z=z, share=share)
        self.base, self.z = detector.judge(self.y)
        places = np.arange(len(self.good))
        found = detector.find(
            self.good.step, self.good.value, places, self.y, self.base, self.z
        )  # fmt: skip
        return found + detector.finish()

    def bar(self, event: Event | None) -> float:
        """Standard deviations that chance hardly reaches in so many evaluations.

        Few of them hardly tell how large their noise is: flat ones of white noise stay below this
        in 99.8 % of runs (simulated). Of many, a lone one must lie farther out: noise of heavy
        tails reaches that in one evaluation now and then, in two in a row hardly ever.
        """
        n = len(self.y)
        bar = min(max(4 + 1.2 * math.log10(n / 30), 4.0), 7.0)
        lone = event is not None and event.points == 1 and n > 20
        return max(1.4 * bar if lone else bar, 4 + 900 / n**2 if n < 30 else 0.0)

    def sure(self, event: Event) -> bool:
        """Whether a jump stands out of the tail of this curve's own noise as well."""
        bar = self.bar(event)
        n = len(self.y)
        if n < _VERY_FEW:
            least = (3.6 + 440 / n**2) * max(self._scatter, self.noise)
            if event.z * self.noise > least:
                return True
        if n < 100:
            return event.z > bar
        places, heights = self._highest
        first = event.first_index
        rest = heights[(places < first) | (places >= first + _EVENT)]
        return event.z > max(bar, 1.2 * float(rest[2]) if len(rest) > 2 else 0.0)

    @cached_property
    def _scatter(self) -> float:
        """Root mean square noise without the worst evaluation and the two behind it.

        Of few evaluations it is better known than the median of their second differences.
        """
        worst = int(self.z.argmax())
        with np.errstate(over="ignore", invalid="ignore"):
            parts = np.diff(self.y[:worst], 2), np.diff(self.y[worst + 3 :], 2)
            bend = np.concatenate(parts)
            return float(np.sqrt(np.mean(bend**2) / 6)) if len(bend) > 2 else math.inf

    @cached_property
    def _highest(self) -> tuple[Ints, Floats]:
        """Places and sizes of the largest standardised changes, the largest first."""
        size = np.abs(self.z)
        most = min(_EVENT + 3, len(size))
        at = np.argpartition(size, len(size) - most)[len(size) - most :]
        at = at[np.argsort(-size[at], kind="stable")]
        return at, size[at]

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


def _findings(run: Run, judged: _Judgement, large: float, most: int) -> Iterator[Finding]:
    if judged.events:
        events = sorted(judged.events, key=lambda e: (not judged.sure(e), -e.z))
        events = events[: max(most, _LOOKED_AT)]
        found = [_Jump.of(run, judged, event) for event in events]
        found.sort(key=lambda jump: not jump.sure or jump.explained)  # warnings first
        kept = sorted(found[:most], key=lambda jump: jump.at)
        for jump in kept:
            unlisted = len(judged.events) - len(kept) if jump is kept[-1] else 0
            yield _finding(judged, jump, unlisted)
        return
    # Not the second one: the first evaluation may be of an untrained model.
    later = judged.changes[1:]
    at = 2 + int(later.argmax()) if len(later) else 0
    if at and judged.change(at) > large:
        yield _finding(judged, _Jump(at))
        return
    top = float(judged.z.max())
    yield passed(
        f"no jump in {words.plural(len(judged.y), 'evaluation')}; the largest worsening was "
        f"{words.number(max(top, 0.0), 2)} sigma",
        judged.series,
        evidence={"points": len(judged.y), "largest_z": min(top, 1e9)},
    )


@dataclass(frozen=True)
class _Jump:
    """A jump at evaluation `at`, and what else is known of it.

    Parameters
    ----------
    at : int
    event : Event or None
        None where it is within the noise.
    sure : bool
        Chance hardly explains it.
    restart : float
        How many times the learning rate rose to begin a new cycle, up to two evaluations before.
    training : Companion or None
        The training loss, where it rose about as much at the same time.
    later : int or None
        Step of the first evaluation, however late, that is half-way back.
    untaught : bool
        The training loss never left what guessing gives.
    """

    at: int
    event: Event | None = None
    sure: bool = False
    restart: float = 1.0
    training: Companion | None = None
    later: int | None = None
    untaught: bool = False

    @classmethod
    def of(cls, run: Run, judged: _Judgement, event: Event) -> _Jump:
        at, step = event.first_index, judged.good.step
        since = int(step[max(at - 2, 0)])
        found = training_at(run, step, at)
        alike = found is not None and found.explains(judged.change(at), of_loss=judged.worse == 1)
        return cls(
            at,
            event,
            judged.sure(event),
            warm_restart(run, since, int(step[at])),
            found if alike else None,
            _back(judged, at) if at else None,
            only_guesses(run),
        )

    @property
    def explained(self) -> bool:
        """Whether it is to be expected, or passed and said nothing of the evaluation."""
        passed_by = self.training is not None and self.later is not None
        return self.restart > 1 or self.untaught or passed_by

    @property
    def said(self) -> str:
        """What else happened there, as sentences."""
        text = ""
        if self.restart > 1:
            text += (
                f" The learning rate had just been restarted ({words.number(self.restart, 2)} "
                "times): a rise is expected there."
            )
        if self.training is not None:
            text += (
                f" The training loss rose as well, from {words.number(self.training.before)} to "
                f"{words.number(self.training.after)}: the model became worse, not its evaluation."
            )
        if self.untaught:
            text += " The training loss never left what guessing gives: guesses are evaluated."
        return text


def _finding(judged: _Judgement, jump: _Jump, unlisted: int = 0) -> Finding:
    at, event, sure = jump.at, jump.event, jump.sure
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
        f"the evaluations before{_meaning(sure, z, judged.bar(event))}"
    ).replace("sigma above", "sigma above" if judged.worse == 1 else "sigma below")
    message += jump.said
    if unlisted:
        message += f" And {words.step(unlisted)} more."
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
        severity=_severity(judged, jump, back),
        confidence=min(max(z / (z + 2), 0.5), 0.99) if sure else 0.3,
    )


def _severity(judged: _Judgement, jump: _Jump, back: int | None) -> str | None:
    """The rule's own where chance hardly explains it; worse where the measure is gone for good."""
    at = jump.at
    gone = judged.worse == -1 and judged.good.value[at] <= 0.01 * abs(judged.base[at])
    if jump.sure and gone and back is None:
        return "error"
    return None if jump.sure and not jump.explained else "info"


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
        return _stay(judged, event)
    return " and had not come back by the last evaluation"


def _stay(judged: _Judgement, event: Event) -> str:
    """How long a worse level lasted, of a jump that did not come back soon."""
    back = _back(judged, event.first_index) if event.first_index else None
    if back is None:
        return " and stayed there"
    return f" and stayed there up to step {words.step(back)}, where it had come half-way back"


def _meaning(sure: bool, z: float, bar: float) -> str:
    if sure:
        return ": chance hardly explains it."
    if z < 2:
        return ": one jump of this size in such a run is not unusual."
    if z < bar:
        return ": in so many evaluations chance may reach that."
    return ", but other steps of this curve are as large."
