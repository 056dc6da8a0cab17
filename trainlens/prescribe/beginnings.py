"""Causes of a loss that never moves that lie in how the training begins, or gives up."""

from __future__ import annotations

import re

from trainlens import words
from trainlens.detect.rates import follows_loss, schedule_of
from trainlens.prescribe.base import EXCLUDED, Case, Hypothesis, Remedy
from trainlens.prescribe.moments import LIMITS
from trainlens.prescribe.remedies import CLIP, KAIMING, PATIENCE, WAIT, warmup
from trainlens.prescribe.signs import rate
from trainlens.prescribe.signs.look import number_set, place
from trainlens.rules.base import Finding, Severity
from trainlens.run import Run

_DISTANCE = re.compile(r"_(?:[nr]?mse|rmsd?|mae|mpjpe|psnr|distance)_")
"""Measures of an answer that is a number, not a class."""
_EARLY = 0.6
"""Share of the run before which a learning rate that is down to a tenth is down too early."""


def first_values(case: Case) -> Hypothesis | None:
    """Whether the first weights let nothing through; with others all is new, gradients too."""
    faults = [f for f in case.faults("poor-initialization") if f.severity is not Severity.INFO]
    if not faults:
        return None
    fresh: tuple[Remedy, ...] = (KAIMING, warmup(case.run))
    if number_set(case.run, *LIMITS) is None:
        fresh = (*fresh, CLIP)
    message = faults[0].message
    said = message[:1].lower() + message[1:].rstrip(".")
    return Hypothesis("the first values of the weights let too little through", 0.85, said, fresh)


def given_up(case: Case) -> Hypothesis | None:
    """Whether a schedule took a loss that had not fallen yet for one that falls no more."""
    low, held = rate.low_since(case.run), rate.rate_of(case.run)
    if low is None or held is None or place(case.run, low) >= _EARLY:
        return None
    if not follows_loss(case.run) and schedule_of(held).family not in ("step", "unknown"):
        return None
    peak = words.number(float(held.value.max()))
    said = f"it is below a tenth of its peak {peak} since step {words.step(low)}"
    text = "the learning rate was lowered before anything was learned"
    return Hypothesis(text, 0.7, said, (WAIT if follows_loss(case.run) else PATIENCE,))


def no_classes(run: Run, finding: Finding) -> Hypothesis | None:
    """That there are no classes to be mixed: where quality is a distance and nothing is counted."""
    if finding.evidence.get("classes") or any(run.main(role) for role in _OF_CLASSES):
        return None
    measures = [s for s in run.with_role("metric") if len(s.finite)]
    if not measures or not all(_DISTANCE.search(f"_{s.metric.lower()}_") for s in measures):
        return None
    first = measures[0]
    said = f"{first.split} {first.metric} measures a distance"
    return Hypothesis("not the sampler, nor the balance of classes", EXCLUDED, said)


_OF_CLASSES = ("batch-classes", "class-share", "class-count", "majority-share")
