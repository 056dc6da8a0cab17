"""Gradients of several micro-batches that are those of the whole batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from trainlens_torch.checks import whole
from trainlens_torch.clock import Clock
from trainlens_torch.gradients.norm import Parameters, above_zero, scale, tree
from trainlens_torch.gradients.ranks import Ranks, wide
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["Accumulation"]

_VERSION = 1


class Accumulation:
    """Adds up the gradients of micro-batches as if they had been one batch.

    A loss that is a mean over n samples or tokens has to count n times: the mean of the means of
    micro-batches that differ in n is another loss, whose gradient depends on how the batch was
    cut. Here each micro-batch comes with its n, and `finish` divides by their sum, over all ranks
    as well::

        accumulate = Accumulation(model, clock=clock)          # steps: those of the clock
        for i, batch in enumerate(loader):
            with accumulate.micro(last=i + 1 == len(loader)):
                loss = mean_loss(model(batch))
                accumulate.backward(loss, weight=batch.tokens)
            if accumulate.due:
                mean = accumulate.finish()                     # the loss of the whole batch
                clip_gradients(model, 1.0)
                scheduler.apply()
                optimizer.step()
                optimizer.zero_grad()
            clock.tick(samples=len(batch), update=accumulate.due)

    Without a parallel wrapper `micro` may be left out, unless the last group of an epoch is
    smaller. Weights may be numbers or tensors on the device; nothing waits for them. Losses are
    scaled by about 1 / `steps` on the way, as is usual, so gradients in half precision neither
    overflow nor vanish by the weights; the exact division comes at the end.

    Parameters
    ----------
    model : Module, Tensor, iterable of Tensor, or parameter groups
        Whose gradients are meant. A wrapped model (`DistributedDataParallel`) exchanges its
        gradients once an update.
    clock : Clock, optional
        Says when an update is due.
    steps : int, optional
        Micro-batches of an update; by default those of the clock, or 1.
    expected : float, optional
        Weight that a micro-batch has by and large; by default that of the very first. Only its
        power of two is used, so that it leaves no trace in the bits of a gradient that is neither
        too large nor too small for its type.
    scaler : torch.amp.GradScaler, optional
        Scales each loss. Afterwards ``finish()``, ``scaler.unscale_(optimizer)``, clipping,
        ``scaler.step(optimizer)``, in this order.

    Raises
    ------
    TypeError, ValueError
        Steps below 1 or other than those of the clock, or an `expected` not above 0.

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.tensor(1.0))
    >>> accumulate = Accumulation(weight, steps=2)
    >>> for rows in (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([6.0])):
    ...     accumulate.backward((weight * rows).mean(), weight=len(rows))
    >>> accumulate.finish(), weight.grad        # 12 / 4; the mean of the means is 4
    (tensor(3.), tensor(3.))
    """

    _micro: int
    _total: Tensor | float
    _loss: Tensor | float
    _last: bool
    _exchange: bool
    _finished: bool

    def __init__(
        self,
        model: Parameters,
        *,
        clock: Clock | None = None,
        steps: int | None = None,
        expected: float | None = None,
        scaler: Any = None,
    ) -> None:
        self.steps = _steps(steps, clock)
        self.clock = clock
        self.expected = None if expected is None else _finite(expected, "expected")
        self.scaler = scaler
        self._parameters = [p for _, group in tree(model) for p in group]
        if not self._parameters:
            raise ValueError("there is no parameter whose gradients could be accumulated")
        self._ranks = Ranks(model if isinstance(model, nn.Module) else None)
        self._unit: Tensor | float | None = None
        if self.expected is not None:
            self._unit = _power(self.expected) * _power(float(self.steps))
        self.reset()

    @property
    def due(self) -> bool:
        """Whether the micro-batch that went `backward` last completes an update.

        It stays true after `finish`, until the next micro-batch begins.
        """
        if self._last or self.clock is None:
            return self._last or self._micro >= self.steps
        return self.clock.due

    def micro(self, last: bool = False) -> AbstractContextManager[Any]:
        """Context for the forward and backward pass of one micro-batch.

        Ranks exchange gradients only where it completes the update.

        Parameters
        ----------
        last : bool
            Whether no more follow although fewer than `steps` are there, as at the end of an
            epoch. Where this is not said, `finish` has `DistributedDataParallel` exchange the
            gradients afterwards.
        """
        self._begin()
        self._last = last
        due = self._micro + 1 >= self.steps if self.clock is None else self.clock.due
        self._exchange = last or due
        return nullcontext() if self._exchange else self._ranks.no_sync()

    def backward(
        self, loss: Tensor, weight: Tensor | float = 1.0, *, reduction: str = "mean"
    ) -> None:
        """Add the gradients of one micro-batch; once for each.

        Parameters
        ----------
        loss : Tensor of shape ()
            Mean, or sum, over the samples or tokens of this micro-batch.
        weight : float or Tensor of shape ()
            How many those are; not negative. A micro-batch of weight 0 adds nothing, even where
            its loss is the mean of nothing, 0 / 0. A weight in a tensor that is NaN makes all
            gradients NaN.
        reduction : "mean" or "sum"
            What `loss` is. The result is the gradient of the mean in both cases. With weights in
            tensors the sum is cheaper: it has no 0 / 0, for which all gradients of a micro-batch
            have to be looked through.

        Raises
        ------
        TypeError, ValueError
            A loss or weight of another shape, a weight that is negative or not finite (as a
            number), or another reduction; nothing was added.
        """
        counted = _counted(weight)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            shape = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"a loss is one number, not {shape}; take its mean or its sum")
        if reduction not in ("mean", "sum"):
            raise ValueError(f'reduction must be "mean" or "sum", not {reduction!r}')
        self._begin()
        unit = self._unit_of(counted, loss.device)
        share = counted / unit
        if isinstance(counted, float) and counted == 0:
            self._sit_out(loss)
        else:
            factor = share if reduction == "mean" else 1.0 / unit
            doubtful = isinstance(counted, Tensor) and reduction == "mean"
            self._add(_scaled(loss, factor, counted), counted == 0 if doubtful else None)
        self._total = self._total + share
        self._micro += 1

    @torch.no_grad()
    def finish(self) -> Tensor:
        """Divide the gradients by the weight of all micro-batches, once before each update.

        Returns
        -------
        Tensor of shape ()
            Mean loss of all micro-batches, over all ranks; 0 where all weights were 0, as are the
            gradients then.

        Raises
        ------
        RuntimeError
            There was no micro-batch since the last time.
        """
        if self._finished or not self._micro:
            raise RuntimeError("finish() was called without a backward() before it")
        if not self._exchange:
            self._ranks.exchange(self._parameters)
        total, loss = self._ranks.summed(self._parameters[0].device, self._total, self._loss)
        inverse = _inverse(total)
        scale([p.grad for p in self._parameters if p.grad is not None], inverse * self._ranks.count)
        self._finished = True
        return torch.as_tensor(loss * inverse)

    def reset(self) -> None:
        """Forget the micro-batches of a begun update, whose gradients the caller clears."""
        self._micro = 0
        self._total = 0.0
        self._loss = 0.0
        self._last = False
        self._exchange = True
        self._finished = False

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes, between two updates."""
        unit = None if self._unit is None else float(self._unit)
        return packed("Accumulation", _VERSION, self.config(), unit=unit)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state; a begun update is forgotten.

        Raises
        ------
        StateMismatch
            Other steps, another expected weight or version; nothing was changed.
        """
        (unit,) = unpacked(state, "Accumulation", _VERSION, self.config(), "unit")
        if unit is not None and not (type(unit) is float and 0.0 < unit < math.inf):
            raise StateMismatch(f"unit in the state of the Accumulation is {unit!r}")
        self._unit = unit
        self.reset()

    def config(self) -> dict[str, Any]:
        """What the accumulation was made with, in plain values."""
        return {"steps": self.steps, "expected": self.expected}

    def __repr__(self) -> str:
        return f"Accumulation({self._micro} of {self.steps} micro-batches)"

    def _begin(self) -> None:
        if self._finished:
            self.reset()

    def _add(self, scaled: Tensor, empty: Any = None) -> None:
        """Backward pass; gradients are 0 where the tensor `empty` is true, whatever they were."""
        held = [] if empty is None else [p for p in self._parameters if p.requires_grad]
        hook: Any = partial(_silenced, empty)
        hooks = [torch.Tensor.register_hook(p, hook) for p in held]  # type: ignore[no-untyped-call]
        try:
            (scaled if self.scaler is None else self.scaler.scale(scaled)).backward()
        finally:
            for hook in hooks:
                hook.remove()
        self._loss = self._loss + scaled.detach()

    def _sit_out(self, loss: Tensor) -> None:
        """A micro-batch of weight 0, for which the other ranks may wait."""
        if not self._exchange or self._ranks.count == 1:
            return
        if self._ranks.plain:
            self._ranks.add_nothing(self._parameters)
        else:
            zero = torch.zeros((), device=loss.device)
            self._add(_scaled(loss, 0.0, zero), zero == 0)

    def _unit_of(self, weight: Tensor | float, device: torch.device) -> Tensor | float:
        """The weight that counts as 1: a power of two, the same for all ranks and for good."""
        if self._unit is None:
            first = self._ranks.mean(weight, device)
            if not isinstance(first, Tensor) and first == 0:
                return 1.0  # no more than 0 / 1 comes of it: the next one may tell
            self._unit = _power(first) * _power(float(self.steps))
        return self._unit


def _scaled(loss: Tensor, factor: Tensor | float, weight: Tensor | float) -> Tensor:
    """A loss times a factor; 0, and with gradients of 0, where the weight is a tensor of 0."""
    single = loss.reshape(())
    if single.dtype in (torch.float16, torch.bfloat16):
        single = single.float()
    if isinstance(factor, Tensor):
        factor = factor.to(device=single.device, dtype=single.dtype)
    if not isinstance(weight, Tensor):
        return single * factor
    return torch.where(weight.to(single.device) == 0, 0.0, single * factor)


def _silenced(empty: Tensor, grad: Tensor) -> Tensor:
    # torch.where takes no sparse tensor; those of an embedding hold no quotient.
    return grad if grad.is_sparse else torch.where(empty.to(grad.device), 0.0, grad)


def _power(value: Any) -> Any:
    """The power of two at or below a number or a tensor; 1 for a tensor of 0."""
    if not isinstance(value, Tensor):
        return math.ldexp(1.0, math.frexp(value)[1] - 1)
    mantissa, _ = torch.frexp(value)
    return torch.where(value > 0, value / mantissa / 2, 1.0)


def _inverse(total: Any) -> Any:
    if isinstance(total, Tensor):
        return torch.where(total == 0, 0.0, 1.0 / total)
    return 1.0 / total if total else 0.0


def _counted(weight: Any) -> Tensor | float:
    if isinstance(weight, Tensor):
        if weight.numel() != 1:
            raise ValueError(f"a weight is one number, not {list(weight.shape)}")
        return wide(weight.detach().reshape(()))
    if isinstance(weight, bool) or not isinstance(weight, Real):
        raise TypeError(f"a weight is a number or a tensor, not {weight!r}")
    counted = float(weight)
    if not 0.0 <= counted < math.inf:  # false for NaN, too
        raise ValueError(f"a weight must be 0 or more and finite, not {weight}")
    return counted


def _finite(value: Any, name: str) -> float:
    checked = above_zero(value, name)
    if math.isinf(checked):
        raise ValueError(f"{name} must be finite")
    return checked


def _steps(steps: int | None, clock: Clock | None) -> int:
    if steps is None:
        return 1 if clock is None else clock.accumulation
    whole(steps, "steps")
    if clock is not None and clock.accumulation != steps:
        raise ValueError(f"the clock has an accumulation of {clock.accumulation}, steps is {steps}")
    return steps
