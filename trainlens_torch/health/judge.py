"""What the numbers of a check-up mean: pure functions, from numbers to remarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, pvariance

from trainlens_torch.health.limits import Limits
from trainlens_torch.health.report import Remark

__all__ = ["Look", "judge", "of_layers"]

_MOST_NAMED = 4
_ROW = 3
"""Looks in a row that a warm-up would end."""
_FALLS = 0.005
"""A loss that falls by this share over its window does not stand still."""


@dataclass(frozen=True)
class Look:
    """What one check-up saw.

    Parameters
    ----------
    losses : sequence of (step, loss)
        The newest is the last.
    window : int
        How many losses make a full window.
    stats : mapping of str to float
    rates : mapping of str to float
        Learning rates by group.
    small : mapping of str to int
        For how many looks in a row, this one included, something has been too small, by kind.
    """

    losses: Sequence[tuple[int, float]]
    window: int
    stats: Mapping[str, float]
    rates: Mapping[str, float]
    small: Mapping[str, int]
    limits: Limits


def judge(look: Look) -> list[Remark]:
    """All remarks on a check-up."""
    parts = (_loss, _gradient, _depth, _updates, _activations, _rates, _parameters)
    return [remark for part in parts for remark in part(look)]


def of_layers(stats: Mapping[str, float], quantity: str) -> dict[str, float]:
    """A quantity by layer: ``grad_norm`` gives what ``grad_norm/LAYER`` holds."""
    start = f"{quantity}/"
    return {k[len(start) :]: v for k, v in stats.items() if k.startswith(start)}


def _loss(look: Look) -> Iterator[Remark]:
    bad = [(step, v) for step, v in look.losses if not math.isfinite(v)]
    if bad:
        step, value = bad[0]
        yield Remark(
            "nan_loss", "critical",
            f"the loss is {value} at step {step}: look at the inputs of that step, lower the "
            "learning rate, or skip such updates",
        )  # fmt: skip
        return
    values = [v for _, v in look.losses]
    if len(values) < 2:
        return
    usual, last = median(values[:-1]), values[-1]
    if len(values) >= 5 and usual > 0 and last > look.limits.loss * usual:
        yield Remark(
            "loss_explosion", "warning",
            f"the loss is {last:.4g}, {last / usual:.3g} times its recent median: lower the "
            "learning rate or clip the gradient",
        )  # fmt: skip
    yield from _stands_still(look, values)


def _stands_still(look: Look, values: list[float]) -> Iterator[Remark]:
    variance = pvariance(values)
    if len(values) < look.window or variance >= look.limits.variance:
        return
    half = len(values) // 2
    first, last = sum(values[:half]) / half, sum(values[-half:]) / half
    size = max(abs(first), abs(last))
    # The variance has a unit: small losses have a small one, and may well fall all the time.
    if first - last > _FALLS * size or math.sqrt(variance) > 0.01 * size > 0:
        return
    yield Remark(
        "stagnation", "warning",
        f"the loss stands still at {last:.4g} (variance {variance:.2g} over {len(values)} steps): "
        "if that is no minimum, look at the sampler and at frozen parts, then raise the rate",
    )  # fmt: skip


def _gradient(look: Look) -> Iterator[Remark]:
    norm = look.stats.get("grad_norm")
    if norm is None:
        return
    if not math.isfinite(norm):
        found = of_layers(look.stats, "grad_norm")
        where = [name for name, v in found.items() if not math.isfinite(v)]
        yield Remark(
            "nan_gradient", "critical",
            f"the gradient is not finite{_in(where)}: skip the update, look at the loss",
        )  # fmt: skip
    elif norm > look.limits.gradient:
        yield Remark(
            "gradient_explosion", "warning",
            f"the gradient norm is {norm:.4g}, above {look.limits.gradient:g}: clip it or lower "
            "the learning rate",
        )  # fmt: skip
    elif norm < look.limits.vanishing and look.stats.get("params_with_grad", 1) > 0:
        yield Remark(
            "gradient_vanishing", "warning",
            f"the gradient norm is {norm:.3g}: see that the loss is connected to the parameters",
        )  # fmt: skip


def _depth(look: Look) -> Iterator[Remark]:
    ratio = look.stats.get("grad_first_last_ratio")
    if ratio is not None and ratio < look.limits.depth:
        yield Remark(
            "gradient_vanishing", "warning",
            f"the first layers get {ratio:.2g} of the gradient of the last: look at activations "
            "and initialisation, add normalisation or residual connections",
        )  # fmt: skip


def _updates(look: Look) -> Iterator[Remark]:
    found = of_layers(look.stats, "update_ratio")
    large = _above(found, look.limits.update)
    if found and len(large) >= len(found) / 2:
        yield Remark(
            "large_updates", "warning",
            f"updates are more than {look.limits.update:g} of the weights{_in(large)}: lower the "
            "learning rate",
        )  # fmt: skip
    if look.small.get("updates", 0) >= _ROW:
        usual = median(found.values())
        yield Remark(
            "small_updates", "warning",
            f"updates are {usual:.2g} of the weights in the median layer, for {_ROW} looks: hardly "
            "anything changes; raise the learning rate",
        )  # fmt: skip


def _activations(look: Look) -> Iterator[Remark]:
    for kind, quantity, limit, text in (
        ("dead_relu", "zero_fraction", look.limits.dead,
         "of the units put out only zeros{}: lower the learning rate, or use leaky ReLU"),
        ("saturation", "saturated_fraction", look.limits.saturated,
         "of the activations are saturated{}: normalise before them"),
    ):  # fmt: skip
        found = of_layers(look.stats, quantity)
        if bad := _above(found, limit):
            share = max(found[name] for name in bad)
            yield Remark(kind, "warning", f"up to {100 * share:.3g} % {text.format(_in(bad))}")


def _rates(look: Look) -> Iterator[Remark]:
    def named(test: Callable[[float], bool]) -> list[str]:
        return [name for name, rate in look.rates.items() if test(rate)]

    wrong = named(lambda rate: not math.isfinite(rate) or rate < 0)
    large = named(lambda rate: math.isfinite(rate) and rate > look.limits.lr)
    if wrong:
        rate = look.rates[wrong[0]]
        yield Remark(
            "learning_rate", "critical", f"the learning rate is {rate}{_in(wrong, 'group')}"
        )
    if large:
        rate = look.rates[large[0]]
        yield Remark(
            "learning_rate", "warning", f"the learning rate is {rate:.3g}{_in(large, 'group')}"
        )
    if look.small.get("rates", 0) >= _ROW:
        most = max(look.rates.values())
        yield Remark(
            "learning_rate", "warning",
            f"no learning rate is above {most:.2g}, for {_ROW} looks: nothing is learned",
        )  # fmt: skip


def _parameters(look: Look) -> Iterator[Remark]:
    total, active = look.stats.get("params_total"), look.stats.get("params_with_grad")
    if total is None or active is None:
        return
    if active == 0:
        yield Remark(
            "frozen_parameters", "critical",
            f"none of {total:g} parameters gets a gradient: the model is frozen, or the loss is "
            "cut off from it",
        )  # fmt: skip
    elif active < total:
        yield Remark(
            "frozen_parameters", "info", f"{active:g} of {total:g} parameters get a gradient"
        )
    still = look.stats.get("unchanged_parameters", 0.0)
    if still and any(rate > 0 for rate in look.rates.values()):
        yield Remark(
            "unchanged_parameters", "warning",
            f"{still:g} of {active:g} parameters with a gradient did not change, to the last bit: "
            "see that the optimizer holds them, and keep bfloat16 weights in float32",
        )  # fmt: skip


def _above(found: Mapping[str, float], limit: float) -> list[str]:
    return [name for name, value in found.items() if value > limit]


def _in(names: Sequence[str], what: str = "") -> str:
    if not names or names == [""]:
        return ""
    some = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    return f" in {what} {some}" if what else f" in {some}"
