"""The rule ``single-class-batch``: batches that hold one class only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median


@rule(
    "single-class-batch",
    severity="error",
    about="data",
    source="quad-modal seed (a batch of one class is a broken sampler); the share is a prior",
)
def single_class_batch(run: Run, *, share: float = 0.5, min_points: int = 5) -> Iterator[Finding]:
    """Batches of training hold samples of one class only.

    Reads the number of classes in each batch (batch_classes, num_classes_in_batch). A fault where
    at least `share` of the batches hold one class. A classifier that sees one class at a time
    learns nothing but to repeat it: the loss stays at chance for every learning rate.

    What to do: look at the sampler first, before any other setting; count the classes of the
    first five batches; use a sampler that mixes the classes in every batch.

    Settings
    --------
    share : share of the batches
        That must hold one class only.
    min_points : points
        Fewer are not judged.
    """
    found = run.with_role("batch-classes", "train")
    if not found:
        yield skip("the number of classes in each batch is not in this log")
    for series in found:
        yield _judge(series, share, min_points)


def _judge(series: Series, share: float, min_points: int) -> Finding:
    curve = series.finite
    n = len(curve)
    if n < min_points:
        return inconclusive(
            f"cannot tell: {words.plural(n, 'batch', 'batches')} counted; {min_points} are needed",
            series,
            evidence={"batches": n, "batches_needed": min_points},
        )
    single = curve.value <= 1
    part = float(np.mean(single))
    evidence = {"batches": n, "share": part, "median_classes": median(curve.value)}
    if part < share:
        return passed(
            f"{words.percent(part, 2)} of {words.step(n)} batches hold one class; "
            f"the median batch holds {words.number(evidence['median_classes'])}.",
            series,
            evidence=evidence,
        )
    at = np.flatnonzero(single)
    every = "Every one" if part == 1 else words.percent(part, 2)
    return fail(
        f"{every} of {words.plural(n, 'counted batch', 'counted batches')} holds one class only.",
        series,
        first_step=int(curve.step[at[0]]),
        last_step=int(curve.step[at[-1]]),
        evidence=evidence,
    )
