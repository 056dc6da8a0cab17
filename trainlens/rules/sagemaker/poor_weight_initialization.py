"""``poor-weight-initialization``: PoorWeightInitialization of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import Layer, layers
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.rules.sagemaker._ranges import ranges
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, told
from trainlens.run import Run
from trainlens.stats.layers import is_weight

_GRADIENT = r"grad(?:ient)?s?[\w./-]*?[/._](?=p|q|percentile)"


@rule(
    "poor-weight-initialization",
    profile="sagemaker",
    severity="warning",
    about="model",
    source=f"{DOCUMENTED}: PoorWeightInitialization",
)
def poor_weight_initialization(
    run: Run,
    *,
    threshold: float = 10.0,
    distribution_range: float = 0.001,
    patience: int = 5,
    steps: int = 10,
) -> Iterator[Finding]:
    """PoorWeightInitialization: the variances of layers differ by more than 10 times at first.

    Looks at the first `steps` logged points. Fires where the largest variance of the activations
    of a layer is more than `threshold` times the smallest (activation_std/LAYER, squared; of the
    weights, weight_std/LAYER, where the log has no activations), where the 5th and the 95th
    percentile of the gradients of a layer are less than `distribution_range` apart
    (grad/LAYER/p5 and /p95, which hardly any log has), or where, beside these, the training loss
    brings no new minimum in `patience` points.

    The ratio of variances has no unit; `distribution_range` carries that of the gradient.
    Embeddings, normalisations and outputs differ by more than ten in most healthy models: the
    default profile (`poor-initialization`) asks for growth with depth.

    Settings
    --------
    threshold : times
        Between variances of layers: above it is a fault.
    distribution_range : unit of the gradient
        Percentiles that are closer are a fault.
    patience : points
        Without a new minimum of the loss.
    steps : points
        At the beginning that are looked at.
    """
    found = [*_variances(run, threshold, steps), *_gradients(run, distribution_range, steps)]
    if not found:
        yield skip("neither standard deviations of layers nor percentiles of gradients in this log")
        return
    yield from found
    yield from _convergence(run, patience, steps)


def _variances(run: Run, threshold: float, steps: int) -> Iterator[Finding]:
    found = layers(run, "activation-std")
    if len(found) < 2:
        found = [x for x in layers(run, "weight-std") if is_weight(x.name)]
    if len(found) < 2:
        return
    points = min(steps, *(len(x.series.finite) for x in found))
    std = np.abs([x.series.finite.value[:points] for x in found])
    low, high = std.min(axis=0), std.max(axis=0)
    with np.errstate(over="ignore"):
        beyond = np.flatnonzero(high > threshold**0.5 * low)
    at = int(beyond[0]) if len(beyond) else 0
    yield _apart(found, std[:, at], at, bool(len(beyond)), threshold)


def _apart(
    found: list[Layer], std: np.ndarray[tuple[int, ...], np.dtype[np.float64]], at: int,
    fired: bool, threshold: float,
) -> Finding:  # fmt: skip
    large, small = found[int(np.argmax(std))], found[int(np.argmin(std))]
    top, least = float(std.max()), float(std.min())
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio = float(np.square(np.float64(top) / np.float64(least)))
    evidence = {"layers": len(found), "largest_std": top, "smallest_std": least,
                "threshold": threshold}  # fmt: skip
    if np.isfinite(ratio):
        evidence["ratio"] = ratio
    times = f"{words.number(ratio, 3)} times" if np.isfinite(ratio) else "without measure"
    said = (
        f"The variance of {large.series.metric} is {times} that of {small.series.metric} "
        f"at first (standard deviations {words.number(top)} and {words.number(least)})"
    )
    if not fired:
        return passed(f"{said}.", large.series, evidence=evidence)
    step = int(large.series.finite.step[at])
    return fail(
        f"{said}, above {words.number(threshold)}.",
        large.series,
        first_step=step,
        last_step=step,
        evidence=evidence,
    )


def _gradients(run: Run, least: float, steps: int) -> Iterator[Finding]:
    looked = []
    for low, high in ranges(run, _GRADIENT, "(?:percentile_?|[pq])0?5", "(?:percentile_?|[pq])95"):
        with np.errstate(over="ignore"):
            width = np.minimum(high.value - low.value, 1e308)
        beyond = width < least
        beyond[steps:] = False
        looked.append(Looked(low, beyond, width))
    if looked:
        yield told(
            looked,
            lambda name, value: (
                f"The 5th and 95th percentile of gradients ({name}) are only "
                f"{words.number(value)} apart"
            ),
            f"Gradients spread over {words.number(least)} or more in each layer.",
            {"distribution_range": least},
        )


def _convergence(run: Run, patience: int, steps: int) -> Iterator[Finding]:
    loss = run.main("loss", "train")
    curve = loss.finite if loss is not None else None
    if curve is None or len(curve) <= patience:
        return
    value = curve.value[:steps]
    best = np.minimum.accumulate(value)
    new = np.concatenate([[True], best[1:] < best[:-1]])
    since = np.arange(len(value)) - np.maximum.accumulate(np.where(new, np.arange(len(value)), 0))
    stuck = np.flatnonzero(since >= patience)
    evidence = {"patience": patience, "steps": len(value), "longest": int(since.max())}
    if not len(stuck):
        yield passed("The loss converges over the first points.", curve, evidence=evidence)
        return
    at = int(stuck[0])
    yield fail(
        f"{words.plural(patience, 'point')} of the first {words.step(len(value))} brought no new "
        f"minimum of the loss, up to step {words.step(int(curve.step[at]))}.",
        curve,
        first_step=int(curve.step[at - patience]),
        last_step=int(curve.step[at]),
        evidence=evidence,
        confidence=0.5,
    )
