"""Which learning rate to begin with: a sweep from far too small to far too large."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parameter import is_lazy

from trainlens_torch.lr_finder.kept import Kept
from trainlens_torch.lr_finder.sweep import FEWEST, LRFound, judge_sweep

__all__ = ["LRFound", "find_lr", "judge_sweep"]

Floats = NDArray[np.float64]
Batch = TypeVar("Batch")

_DIVERGED = 3.0


def find_lr(
    model: nn.Module,
    step: Callable[[nn.Module, Batch], torch.Tensor],
    optimizer: torch.optim.Optimizer | Callable[[], torch.optim.Optimizer],
    batches: Iterable[Batch],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    updates: int = 100,
    before_step: Callable[[], object] | None = None,
) -> LRFound:
    """Train for a moment with a rising learning rate, look at the losses, and undo all of it.

    The rate rises from `low` to `high`, by the same factor at each update; groups keep their
    ratios to each other. The sweep ends early where the loss diverges.

    Everything is as before afterwards, bit for bit, also when `step` raises or the run is
    interrupted: parameters, gradients, buffers, ``requires_grad``, train and eval modes, the
    optimizer, the random states (`trainlens_torch.lr_finder.kept`). Clock and scheduler are not
    touched.

    Parameters
    ----------
    model : torch.nn.Module
        In the mode and on the device in which it trains.
    step : callable
        ``step(model, batch) -> loss``, a scalar tensor; neither backward nor an update.
    optimizer : torch.optim.Optimizer, or callable
        The one of the training, or something that makes one: ``lambda: SGD(model.parameters())``.
    batches : iterable
        As in training. Begun again where it ends early; an iterator is used up.
    low, high : float
        Of the group whose rate is the largest, or of the groups with an `lr_ratio` of 1.
    updates : int
        Of the whole sweep, 20 or more. Fewer than a hundred show little of a noisy loss.
    before_step : callable, optional
        Called between backward and update, for instance to clip gradients as the training does.

    Returns
    -------
    LRFound
        See `judge_sweep` for how the suggestion is found, and when there is none.

    Raises
    ------
    TypeError
        `step` returns no scalar tensor with a gradient.
    ValueError
        Limits that are not ``0 < low < high``, fewer than 20 updates, no batch at all, parameters
        without values (lazy, or on the meta device).

    References
    ----------
    Smith 2017, arXiv:1506.01186.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net, data = nn.Linear(3, 1), torch.randn(64, 3)
    >>> loss = lambda net, x: (net(x) - x.sum(1, keepdim=True)).square().mean()
    >>> found = find_lr(net, loss, lambda: torch.optim.SGD(net.parameters(), lr=1.0), [data])
    >>> 0.01 < found.suggestion < 1.0
    True
    """
    _check(model, low, high, updates)
    kept = Kept([model, *_sources(batches)])
    try:
        made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer()
        used = Kept([made])
        try:
            kept.drop_gradients()
            used.drop_gradients()
            rates = np.geomspace(low, high, updates)
            losses = _sweep(model, step, made, _endless(batches), rates, before_step)
        finally:
            used.restore()
    finally:
        kept.restore()
    return judge_sweep(rates[: len(losses)], np.array(losses))


def _check(model: nn.Module, low: float, high: float, updates: int) -> None:
    if not 0.0 < low < high < math.inf:
        raise ValueError(f"the sweep goes from low up to high, both above 0: {low}, {high}")
    if updates < FEWEST:
        raise ValueError(f"a sweep needs {FEWEST} updates or more, not {updates}")
    for name, parameter in model.named_parameters():
        if is_lazy(parameter) or parameter.is_meta:
            raise ValueError(
                f"{name} has no values yet: run one batch through the model, then look for a rate"
            )


def _sources(batches: Any) -> list[Any]:
    """Generators from which a data loader draws its order."""
    parts = [batches, *(getattr(batches, a, None) for a in ("sampler", "batch_sampler"))]
    parts.append(getattr(parts[-1], "sampler", None))
    return [getattr(part, "generator", None) for part in parts]


def _endless(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches again and again; once where they are an iterator."""
    while True:
        count = 0
        for batch in batches:
            count += 1
            yield batch
        if not count:
            return


def _sweep(
    model: nn.Module,
    step: Callable[[nn.Module, Batch], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    batches: Iterator[Batch],
    rates: Floats,
    before_step: Callable[[], object] | None,
) -> list[float]:
    """Losses before each update, up to the one that diverges."""
    ratios = _ratios(optimizer)
    mode: Any = getattr(optimizer, "train", None)
    if callable(mode):
        mode()  # a schedule-free one steps in this mode alone
    losses: list[float] = []
    for rate, batch in zip(rates, batches, strict=False):
        _set_rates(optimizer, ratios, float(rate))
        optimizer.zero_grad(set_to_none=True)
        loss = step(model, batch)
        losses.append(_number(loss))
        if _diverged(losses):
            break
        loss.backward()  # type: ignore[no-untyped-call]
        if before_step is not None:
            before_step()
        optimizer.step()
    if not losses:
        raise ValueError("there was no batch to train on")
    return losses


def _ratios(optimizer: torch.optim.Optimizer) -> list[float]:
    """Rate of each group as a share of the base."""
    groups = optimizer.param_groups
    if all("lr_ratio" in group for group in groups):
        return [float(group["lr_ratio"]) for group in groups]
    # A warmup may just hold the rates at 0.
    rates = [float(group.get("initial_lr", group["lr"])) for group in groups]
    largest = max(rates)
    return [rate / largest if largest > 0 else 1.0 for rate in rates]


def _set_rates(optimizer: torch.optim.Optimizer, ratios: list[float], rate: float) -> None:
    for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate * ratio)
        else:
            group["lr"] = rate * ratio


def _number(loss: Any) -> float:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.requires_grad:
        told = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TypeError(f"step returns the loss as a scalar tensor with a gradient, not {told}")
    return float(loss.detach())


def _diverged(losses: list[float]) -> bool:
    """Whether the loss is beyond hope: above the first by far more than it ever fell."""
    if not math.isfinite(losses[-1]):
        return True
    if len(losses) < FEWEST:
        return False
    first = float(np.median(losses[:5]))
    now = float(np.median(losses[-3:]))
    return bool(now > first + _DIVERGED * max(abs(first), first - min(losses), np.ptp(losses[:10])))
