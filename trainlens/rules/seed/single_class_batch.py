"""``single-class-batch`` of the seed profile: every single batch counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "single-class-batch",
    profile="seed",
    severity="error",
    about="data",
    source="quad-modal seed (all 32 samples of a batch from one class: the sampler may be broken)",
)
def single_class_batch(run: Run) -> Iterator[Finding]:
    """A batch of training holds samples of one class only.

    Reads the number of classes in each batch (batch_classes). One such batch is enough, as in the
    seed's check of the first five; with few classes or small batches that happens by chance, so
    the default profile asks for half of the batches. A count: no unit matters.
    """
    found = [s for s in run.with_role("batch-classes", "train") if len(s)]
    if not found:
        yield skip("the number of classes in each batch is not in this log")
    for series in found:
        yield _judge(series, series.finite)


def _judge(series: Series, curve: Series) -> Finding:
    if not len(curve):
        return inconclusive(f"cannot tell: no finite value of {series.metric}", series)
    at = np.flatnonzero(curve.value <= 1)
    evidence = {"batches": len(curve), "single": len(at), "fewest": float(curve.value.min())}
    of = words.plural(len(curve), "counted batch", "counted batches")
    if not len(at):
        return passed(
            f"Each of {of} holds {words.number(evidence['fewest'])} classes or more.",
            series,
            evidence=evidence,
        )
    return fail(
        f"{words.step(len(at))} of {of} {'holds' if len(at) == 1 else 'hold'} one class only, the "
        f"first at step {words.step(int(curve.step[at[0]]))}.",
        series,
        first_step=int(curve.step[at[0]]),
        last_step=int(curve.step[at[-1]]),
        evidence=evidence,
    )
