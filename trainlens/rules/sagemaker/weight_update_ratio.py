"""``weight-update-ratio``: WeightUpdateRatio of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, finite, told
from trainlens.run import Run


@rule(
    "weight-update-ratio",
    profile="sagemaker",
    severity="warning",
    about="optimizer",
    source=f"{DOCUMENTED}: WeightUpdateRatio",
)
def weight_update_ratio(
    run: Run, *, large_threshold: float = 10.0, small_threshold: float = 1e-8
) -> Iterator[Finding]:
    """WeightUpdateRatio: an update is above 10 times its weights, or below 1e-8 of them.

    Reads |update| / |weights| (update_ratio, update_ratio/LAYER), or its logarithm to base 10,
    where SageMaker Debugger computes it from the weights of two steps. Fires at a single point
    above `large_threshold` or below `small_threshold`; a frozen layer, and a learning rate of 0
    at the start of a warmup, do too.

    A ratio: no unit matters. The limits are six decades and more around what training needs;
    `update-ratio` of the default profile takes two.

    Settings
    --------
    large_threshold : update over weights
        Above it a point is a fault.
    small_threshold : update over weights
        Below it a point is a fault.
    """
    found = finite(run, "update-ratio")
    if not found:
        yield skip("sizes of updates relative to the weights are not in this log")
        return
    # Ratios themselves are never below 0.
    logs = -30 <= min(float(s.value.min()) for s in found) < 0
    logs = logs and max(float(s.value.max()) for s in found) <= 6
    values = [np.power(10.0, s.value) if logs else np.abs(s.value) for s in found]
    looked = [
        Looked(s, (v > large_threshold) | (v < small_threshold), v)
        for s, v in zip(found, values, strict=True)
    ]

    def say(name: str, value: float) -> str:
        large = value > large_threshold
        limit = words.number(large_threshold if large else small_threshold)
        return f"{name} is {words.number(value)}, {'above' if large else 'below'} {limit},"

    finding = told(
        looked,
        say,
        f"Every update is between {words.number(small_threshold)} and "
        f"{words.number(large_threshold)} times its weights.",
        {"large_threshold": large_threshold, "small_threshold": small_threshold},
    )
    value = finding.evidence.get("value")
    if value is not None:  # what an adviser asks for
        limit = large_threshold if value > large_threshold else small_threshold
        finding = replace(finding, evidence={**finding.evidence, "median": value, "limit": limit})
    yield finding
