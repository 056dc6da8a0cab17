"""``class-imbalance`` of the sagemaker profile: ClassImbalance of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import layers
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, shares
from trainlens.run import Run, Series


@rule(
    "class-imbalance",
    profile="sagemaker",
    severity="warning",
    about="data",
    source=f"{DOCUMENTED}: ClassImbalance",
)
def class_imbalance(
    run: Run, *, threshold_imbalance: float = 10.0, samples: int = 500
) -> Iterator[Finding]:
    """ClassImbalance: the largest class has more than 10 times the samples of the smallest.

    Reads the count of each class (class_count/NAME, summed over the log, `samples` in all at
    least) or its share (class_share/NAME). Of the share of the largest class alone
    (majority_share) the ratio is known only where the rest is small enough for two classes. The
    other half of SageMaker Debugger's rule, a class of which more than 70 % are mispredicted,
    needs labels and predictions, which logs do not hold.

    A ratio: no unit matters. It grows with the number of classes: of a thousand classes of the
    real world hardly any set of data stays below it.

    Settings
    --------
    threshold_imbalance : times
        The largest class over the smallest.
    samples : samples
        That must have been counted.
    """
    counted, shared = layers(run, "class-count"), layers(run, "class-share")
    if len(counted) >= 2:
        with np.errstate(over="ignore", invalid="ignore"):
            size = {x.name: float(x.series.finite.value.sum()) for x in counted}
        if sum(size.values()) < samples:
            yield inconclusive(
                f"cannot tell: {words.number(sum(size.values()))} samples counted; "
                f"{words.step(samples)} are needed",
                counted[0].series,
            )
        else:
            yield _judge(counted[0].series, size, threshold_imbalance)
    elif len(shared) >= 2:
        with np.errstate(over="ignore", invalid="ignore"):
            size = {x.name: float(x.series.finite.value.mean()) for x in shared}
        yield _judge(shared[0].series, size, threshold_imbalance)
    else:
        found = [s for s in run.with_role("majority-share") if len(s.finite)]
        yield from (_largest(s.finite, threshold_imbalance) for s in found)
        if not found:
            yield skip("counts or shares of at least two classes are not in this log")


def _judge(series: Series, size: dict[str, float], threshold: float) -> Finding:
    if not all(0 <= v < np.inf for v in size.values()) or not any(size.values()):
        return skip(f"{series.metric} is no count or share of a class", series)
    most, least = max(size, key=lambda k: size[k]), min(size, key=lambda k: size[k])
    total = sum(v / size[most] for v in size.values())
    evidence = {"largest": 1 / total, "smallest": size[least] / size[most] / total,
                "classes": len(size), "threshold": threshold}  # fmt: skip
    ratio = size[most] / size[least] if size[least] > size[most] * 1e-300 else np.inf
    said = f"Class {most} has {words.number(ratio, 3)} times the samples of class {least}"
    if np.isfinite(ratio):
        evidence["ratio"] = ratio
    else:
        said = f"There are samples of class {most}, but none of class {least}"
    if not ratio > threshold:
        return passed(f"{said}.", series, evidence=evidence)
    return fail(
        f"{said}: more than {words.number(threshold)} times as many.", series, evidence=evidence
    )


def _largest(series: Series, threshold: float) -> Finding:
    percent = shares(series)
    if percent is None:
        return skip(f"{series.metric} is no share", series)
    share = float(percent.mean()) / 100
    evidence = {"largest": share, "threshold": threshold}
    if share <= threshold * (1 - share):
        return inconclusive(
            f"cannot tell: the largest class makes up {words.percent(share)}, and how large the "
            "smallest is, is not in this log",
            series,
            evidence=evidence,
        )
    return fail(
        f"The largest class makes up {words.percent(share)}: more than {words.number(threshold)} "
        "times all others together.",
        series,
        evidence=evidence,
    )
