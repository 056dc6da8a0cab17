"""The rule ``unchanged-parameters``: weights that training does not move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import (
    Layer,
    fate_of_loss,
    layers,
    learning_rate_at,
    plans_freezing,
    rewarded,
)
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.gains import gain
from trainlens.stats.layers import layer_name
from trainlens.stats.noise import median
from trainlens.stats.trend import relative, scale_free

_DIGITS = 6
"""Norms of fewer digits are rounded: a weight may well move without them."""


@rule(
    "unchanged-parameters",
    severity="warning",
    about="model",
    source="SageMaker Debugger's UnchangedTensor (3 looks), here to the last bit",
)
def unchanged_parameters(run: Run, *, looks: int = 3) -> Iterator[Finding]:
    """Parameters that stay as they are, to the last bit, while the learning rate is above 0.

    Reads the norm of the weights (weight_norm/LAYER, or of the whole model) and the number or
    share of parameters that an update left unchanged (unchanged_parameters). A layer counts whose
    norm has not changed in the last `looks` looks and more at a learning rate above 0. All layers
    are an error (an information where the loss falls all the same), layers that changed before a
    warning, and layers that never changed beside others that do an information (they may be
    frozen by design). Norms of fewer than six digits
    are rounded, and tell nothing.

    What to do: compare the parameters that the optimizer holds with those of the model (it may
    have been built before they were replaced or unfrozen); look at requires_grad; in bfloat16
    keep the weights in float32, since small updates are rounded away.

    Settings
    --------
    looks : points
        In a row at which a norm must be the same.
    """
    found = [*_by_norm(run, looks), *_by_count(run, looks)]
    if not found:
        yield skip("neither norms of weights nor counts of unchanged parameters in this log")
        return
    # Norms and counts say the same thing: the graver of the two is enough.
    yield max(found, key=lambda f: (f.failed, f.severity.rank if f.failed else 0))


def _by_norm(run: Run, looks: int) -> Iterator[Finding]:
    found = [x for x in layers(run, "weight-norm", whole=True) if x.series.finite.value.any()]
    known = [(x, _still(run, x.series.finite, looks)) for x in found]
    judged = [(x, at) for x, at in known if at is not None]
    if not found:
        return
    if not judged:
        yield inconclusive(
            f"cannot tell: {looks + 1} norms of the weights at a learning rate above 0 are needed",
            found[0].series,
        )
        return
    digits = max(_digits(x.series.finite.value[-20:]) for x, _ in judged)
    still = [(x, at) for x, at in judged if at >= 0]
    if not still:
        yield passed("The norms of the weights change.", judged[0][0].series)
    elif digits < _DIGITS:
        yield inconclusive(
            f"norms of the weights stand still, but this log has {digits} digits of them: they "
            "may change behind those",
            still[0][0].series,
        )
    else:
        yield _standing(run, still, len(judged))


def _still(run: Run, curve: Series, looks: int) -> int | None:
    """Index since which a norm has not changed, -1 where it does; None for too few looks."""
    value = curve.value
    if len(value) < looks + 1 or not (learning_rate_at(run, curve)[1:] > 0).any():
        return None
    moved = np.flatnonzero(value[1:] != value[:-1])
    at = int(moved[-1]) + 1 if len(moved) else 0
    rate = learning_rate_at(run, curve)[at + 1 :]
    enough, lasting = 1e-4, looks
    if at > 0:
        # It has moved before: a rate near its end may move it by less than its last digit.
        part = 20 if run.main("learning-rate") is not None else 5
        enough, lasting = 0.1, max(looks if part == 20 else looks + 2, len(value) // part)
    return at if int(np.sum(rate > enough)) >= lasting else -1


def _digits(value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> int:
    """Most significant digits that any of the values has."""
    texts = (repr(v).split("e")[0].replace(".", "").strip("-0") for v in value.tolist())
    return max((len(t) for t in texts), default=0)


def _standing(run: Run, still: list[tuple[Layer, int]], count: int) -> Finding:
    names = ", ".join(x.said for x, _ in still[:5]) + (", …" if len(still) > 5 else "")
    since, series = max(at for _, at in still), still[0][0].series.finite
    every, later = len(still) == count, [x for x, at in still if at > 0]
    severity = "error" if every else "warning" if later else "info"
    if (every or plans_freezing(run)) and _fell_since(run, since, series):
        severity = "info"  # something does change, if by less than the last digit of a norm
    elif plans_freezing(run):
        severity = "warning" if every else "info"
    if every:
        text = "No weight changes" + ("" if since == 0 else " any longer")
    else:
        text = f"{words.step(len(still))} of {words.plural(count, 'layer')} "
        text += "no longer change" if later else "never change, as frozen ones do"
    curve = (later[0] if later and not every else still[0][0]).series.finite
    at = next(at for x, at in still if x.series.finite is curve)
    looks = len(curve) - at - 1
    return fail(
        f"{text}: their norm is the same to the last bit in {words.plural(looks, 'look')} in a row "
        f"up to step {words.step(int(series.step[-1]))} ({names}).",
        curve,
        first_step=int(curve.step[at]),
        last_step=int(curve.step[-1]),
        evidence={"layers": len(still), "layers_logged": count, "looks": looks},
        severity=severity,
        confidence=0.97 if severity != "info" else 0.9,
    )


def _fell_since(run: Run, at: int, norm: Series) -> bool:
    """Whether the loss went on falling after the weights had stopped."""
    loss = run.main("loss", "train") or run.main("loss")
    if at == 0 or loss is None or rewarded(run):
        return fate_of_loss(run) == "fell"
    rest = loss.finite
    rest = rest.take(np.flatnonzero(rest.step >= norm.step[at]))
    if len(rest) < 8:
        return False
    moved = gain(relative(rest.step), scale_free(rest.value), 0.0, 1.0)
    return moved is not None and moved.lower(2.33) > 0.005


def _by_count(run: Run, looks: int) -> Iterator[Finding]:
    found = [Layer("", s) for s in run.with_role("unchanged-parameters") if len(s.finite)]
    whole = [x for x in found if not layer_name(x.series.metric)] or found
    if whole:
        worst = max(whole, key=lambda x: x.level())
        yield _counted(run, worst.series.finite, looks)


def _counted(run: Run, curve: Series, looks: int) -> Finding:
    good = np.flatnonzero((learning_rate_at(run, curve) > 1e-4) & (curve.value >= 0))
    if len(good) < looks:
        return inconclusive(
            f"cannot tell: {words.plural(len(good), 'look')} at a learning rate above 0; {looks} "
            "are needed",
            curve,
        )
    value = curve.value[good]
    level = median(value[-max(looks, len(value) // 4) :])
    total = _total(run)
    share = (
        min(level / total, 1.0) if total else level if float(value.max()) <= 1.0 else float("nan")
    )
    evidence = {"unchanged": level, "total": total, "looks": len(good)}
    if level == 0:
        return passed("Every parameter changes.", curve, evidence=evidence)
    frozen = run.main("params-without-grad")
    meant = frozen is not None and len(frozen.finite) and level <= frozen.finite.value[-1]
    if meant or plans_freezing(run):
        severity = "info"
    elif share >= 0.99:
        severity = "error"
    else:
        severity = "warning" if share >= 0.5 or fate_of_loss(run) == "flat" else "info"
    many = f"{words.percent(level)} of the parameters"
    if level > 1 or total:
        of = f" of {words.step(round(total))}" if total else ""
        many = f"{words.plural(round(level), 'parameter')}{of}"
    why = ", as many as get no gradient" if meant else ""
    return fail(
        f"{many} did not change, to the last bit, while the learning rate was above 0{why}.",
        curve,
        first_step=int(curve.step[good[0]]),
        last_step=int(curve.step[good[-1]]),
        evidence=evidence,
        severity=severity,
        confidence=0.95,
    )


def _total(run: Run) -> float:
    series = run.main("params-total")
    return median(series.finite.value) if series is not None and len(series.finite) else 0.0
