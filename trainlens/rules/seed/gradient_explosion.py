"""Rule ``gradient-explosion`` of the seed profile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.threshold import ThresholdDetector
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Run


@rule(
    "gradient-explosion",
    profile="seed",
    severity="warning",
    about="optimizer",
    source="seed system 4 (Diffold health check): gradient norm > 100",
)
def gradient_explosion(run: Run, *, limit: float = 100.0, most: int = 20) -> Iterator[Finding]:
    """A gradient norm above 100.

    The rule of the seed's health check. It depends on the unit: a norm grows with the number of
    parameters, with the scale of the loss and with its reduction (sum or mean), so that 100 may
    be usual in one model and far too much in another. The default profile compares a run with
    itself.

    Settings
    --------
    limit : unit of the norm
        Above it a norm has exploded.
    most : findings
        The largest are kept.
    """
    series = run.main("gradient-norm")
    if series is None:
        yield skip("no gradient norm in this log")
        return
    base = series.effective
    detector = ThresholdDetector(limit)
    events = detector.update(base.step, base.value) + detector.finish()
    for event in events[:most]:
        yield fail(
            f"{series.metric} was above {words.number(limit)} at "
            f"{words.steps(event.first_step, event.last_step)}, at most {words.number(event.peak)} "
            f"({len(events)} such events in the run).",
            series,
            first_step=event.first_step,
            last_step=event.last_step,
            evidence={"peak": event.peak, "limit": limit, "events": len(events)},
            confidence=0.5,
        )
    if not events:
        top = float(np.max(series.finite.value, initial=0.0))
        yield passed(
            f"the largest of {words.plural(len(base), 'gradient norm')} is {words.number(top)}",
            series,
            evidence={"points": len(base), "largest": top},
        )
