"""The rule ``frozen-parameters``: parameters that get no gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from trainlens import words
from trainlens.detect.layers import (
    Layer,
    fate_of_loss,
    gradient_norm,
    layers,
    learning_rate_at,
    plans_freezing,
)
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.layers import resolution
from trainlens.stats.noise import median
from trainlens.stats.stretches import steady_levels, stretches


@rule(
    "frozen-parameters",
    severity="warning",
    about="model",
    source="quad-modal seed (parameters with a gradient: 0; total gradient norm: 0)",
)
def frozen_parameters(
    run: Run, *, lasting: int = 10, share: float = 0.05, min_points: int = 3
) -> Iterator[Finding]:
    """Parameters without a gradient: frozen by mistake, or cut off from the loss.

    Reads how many parameters get a gradient (params_with_grad, with params_total or
    params_without_grad where they are logged), and gradient norms that are exactly 0 for
    `lasting` points in a row and `share` of the run at least, at a learning rate above 0. No
    parameter with a gradient is an error, fewer than before a warning, and a part that is frozen
    from the start an information. A count that grows is progressive unfreezing, and passes.

    What to do: look which parameters have requires_grad off, whether the optimizer was given
    those that were unfrozen later, and whether something between them and the loss is detached.

    Settings
    --------
    lasting : points
        In a row with a gradient norm of exactly 0.
    share : share of the run
        That these points must make up.
    min_points : points
        Fewer are not judged.
    """
    found = [
        *_by_count(run, min_points),
        *_whole(run, lasting, share),
        *_by_layer(run, lasting, share),
    ]
    if not found:
        yield skip("neither gradient norms nor counts of parameters with a gradient in this log")
        return
    faults = [f for f in found if f.failed]
    yield from faults or found[:1]


def _by_count(run: Run, min_points: int) -> Iterator[Finding]:
    for series in run.with_role("params-with-grad"):
        curve = series.finite
        if len(curve) and float(curve.value.min()) >= 0:
            yield _count(run, curve, _total(run, curve), min_points)


def _total(run: Run, curve: Series) -> float:
    """Number of all parameters, 0 where it is not known."""
    whole, without = run.main("params-total"), run.main("params-without-grad")
    top = float(curve.value.max())
    if whole is not None and len(whole.finite):
        total = median(whole.finite.value)
        return total if total >= top else 0.0
    if without is not None and len(without.finite):
        missing = np.interp(curve.step, without.finite.step, without.finite.value)
        return float((curve.value + missing).max())
    return 0.0


def _count(run: Run, curve: Series, total: float, min_points: int) -> Finding:
    value = curve.value
    first, last = float(value[0]), float(value[-1])
    evidence = {"with_gradient": last, "at_first": first, "total": total, "points": len(curve)}
    zero = [s for s in stretches(value == 0) if s[1] == len(value)]
    if zero and len(value) - zero[0][0] >= min(min_points, len(value)):
        a = zero[0][0]
        since = "in the whole log" if a == 0 else f"since step {words.step(int(curve.step[a]))}"
        return fail(
            f"No parameter gets a gradient {since}: the model is frozen, or the loss is cut off "
            "from it.",
            curve,
            first_step=int(curve.step[a]),
            last_step=int(curve.step[-1]),
            evidence=evidence,
            severity="error",
        )
    # Where parts are used by turns (experts, tasks), the count goes up and down: no loss of any.
    top = float(steady_levels(value)[0].max())
    full = int(np.flatnonzero(value >= top)[-1]) + 1
    usual = float(np.quantile(value[max(full - 20, 0) : full], 0.1))
    tail = value[-max(2 * min_points, len(value) // 20) :]
    if len(value) >= 4 * min_points and float(tail.max()) < 0.99 * usual:
        return _fewer(run, curve, top, evidence)
    if last > first:
        of = f" of {words.step(round(total))}" if total else ""
        return passed(
            f"Progressive unfreezing: from {words.step(round(first))} to "
            f"{words.step(round(last))}{of} parameters with a gradient.",
            curve,
            evidence=evidence,
        )
    if total and last < total:
        return _part(run, curve, total, evidence)
    return passed(
        f"{words.step(round(last))} parameters get a gradient{', all there are' if total else ''}.",
        curve,
        evidence=evidence,
    )


def _fewer(run: Run, curve: Series, top: float, evidence: dict[str, float]) -> Finding:
    full = np.flatnonzero(curve.value >= top)
    at = min(int(full[-1]) + 1, len(curve) - 1)
    return fail(
        f"{words.step(round(float(curve.value[-1])))} parameters get a gradient; there were "
        f"{words.step(round(top))} up to step {words.step(int(curve.step[full[-1]]))}.",
        curve,
        first_step=int(curve.step[at]),
        last_step=int(curve.step[-1]),
        evidence={**evidence, "at_most": top},
        severity="info" if plans_freezing(run) else "warning",
        confidence=0.9,
    )


def _part(run: Run, curve: Series, total: float, evidence: dict[str, float]) -> Finding:
    last = float(curve.value[-1])
    flat = fate_of_loss(run) == "flat"
    return fail(
        f"{words.step(round(last))} of {words.step(round(total))} parameters get a gradient "
        f"({words.percent(last / total, 2)}) from the start"
        f"{', and the loss does not move' if flat else ''}. Right for fine-tuning a part of the "
        "model, else a mistake.",
        curve,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence=evidence,
        severity="warning" if flat else "info",
        confidence=0.95,
    )


def _zeros(run: Run, series: Series, lasting: int, share: float) -> tuple[int, int] | None:
    """The longest lasting stretch of zeros while the learning rate is above 0."""
    value = series.value
    zero = value == 0
    if not zero.any():
        return None
    zero &= learning_rate_at(run, series) > 0
    least = max(lasting, share * len(value))
    spans = [s for s in stretches(zero) if s[1] - s[0] >= least]
    return max(spans, key=lambda s: s[1] - s[0]) if spans else None


def _whole(run: Run, lasting: int, share: float) -> Iterator[Finding]:
    series = gradient_norm(run)
    curve = series.finite if series is not None else None
    if curve is None or not len(curve):
        return
    span = _zeros(run, curve, lasting, share)
    if span is None:
        few = len(curve) < lasting
        if few and not curve.value.any():
            yield inconclusive(
                f"cannot tell: {words.plural(len(curve), 'gradient norm')}, each 0; {lasting} "
                "in a row are needed",
                curve,
            )
        else:
            yield passed("The gradient norm is above 0.", curve)
        return
    yield _no_gradient(run, curve, span)


def _no_gradient(run: Run, curve: Series, span: tuple[int, int]) -> Finding:
    a, b = span
    first, last = int(curve.step[a]), int(curve.step[b - 1])
    evidence = {"zeros": b - a, "points": len(curve)}
    where = words.steps(first, last)
    usual = median(curve.value[curve.value > 0])
    if usual < 100 * resolution(curve.value):
        return inconclusive(
            f"the gradient norm reads 0 at {where}, but this log rounds it too much to tell",
            curve,
            evidence=evidence,
        )
    moved = _loss_over(run, first, last)
    if moved is not None and moved[1] <= 1e-6 * abs(moved[0]):
        return passed("The gradient norm is 0 where the loss is: nothing is left.", curve)
    if moved is not None and moved[1] < 0.9 * moved[0]:
        return fail(
            f"The gradient norm is exactly 0 at {where}, yet the loss falls from "
            f"{words.number(moved[0])} to {words.number(moved[1])}: it is probably measured after "
            "the gradients were cleared.",
            curve,
            first_step=first,
            last_step=last,
            evidence=evidence,
            severity="info",
            confidence=0.8,
        )
    ended = b == len(curve)
    return fail(
        f"The gradient norm is exactly 0 at {where} ({words.plural(b - a, 'point')}): no parameter "
        f"learns{'' if ended else ' there'}.",
        curve,
        first_step=first,
        last_step=last,
        evidence=evidence,
        severity="error" if ended else "warning",
        confidence=0.95,
    )


def _loss_over(run: Run, first: int, last: int) -> tuple[float, float] | None:
    """Level of the loss at the beginning and at the end of a range of steps."""
    loss = run.main("loss", "train") or run.main("loss")
    if loss is None:
        return None
    curve = loss.finite
    value = curve.value[(curve.step >= first) & (curve.step <= last)]
    part = max(1, len(value) // 5)
    return (median(value[:part]), median(value[-part:])) if len(value) >= 5 else None


def _by_layer(run: Run, lasting: int, share: float) -> Iterator[Finding]:
    found = layers(run, "gradient-norm")
    spans = [(x, _zeros(run, x.series.finite, lasting, share)) for x in found]
    ended = [(x, s) for x, s in spans if s is not None and s[1] == len(x.series.finite)]
    lost = [x for x, s in ended if s[0] > 0]
    never = [x for x, s in ended if s[0] == 0]
    if ended and len(ended) == len(found):
        return  # the norm of all of them says it
    flat = fate_of_loss(run) == "flat"
    if lost:
        at = max(s[0] for x, s in ended if s[0] > 0)
        text = "had a gradient and lost it: it is exactly 0 at the end of the log"
        yield _named(lost, len(found), text, "info" if plans_freezing(run) else "warning", at)
    if never:
        text = "never had a gradient: it is exactly 0 in the whole log"
        yield _named(never, len(found), text, "warning" if flat else "info", 0)
    if not ended and any(s is not None and s[0] == 0 for _, s in spans):
        thawed = sum(s is not None and s[0] == 0 for _, s in spans)
        yield passed(
            f"Progressive unfreezing: {words.step(thawed)} of {words.plural(len(found), 'layer')} "
            "began without a gradient and have one now."
        )


def _named(some: Sequence[Layer], count: int, text: str, severity: str, at: int) -> Finding:
    names = ", ".join(x.name for x in some[:5]) + (", …" if len(some) > 5 else "")
    curve = some[0].series.finite
    return fail(
        f"{words.step(len(some))} of {words.plural(count, 'layer')} {text} ({names}).",
        curve,
        first_step=int(curve.step[min(at, len(curve) - 1)]),
        last_step=int(curve.step[-1]),
        evidence={"layers": len(some), "layers_logged": count},
        severity=severity,
        confidence=0.95 if severity == "warning" else 0.9,
    )
