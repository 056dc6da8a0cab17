"""The step of an optimizer that a framework calls, taken over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from types import MethodType
from typing import Any

import torch
from torch.optim import Optimizer

from trainlens.errors import UsageError

__all__ = ["bare", "refuse_scaler", "refuse_several", "take_over"]


def bare(optimizer: Any) -> Optimizer:
    """The optimizer of torch within the wrappers of a framework."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    found: Optimizer = optimizer
    return found


def take_over(optimizer: Optimizer, update: Callable[[], object]) -> Callable[[], None]:
    """Have `update` called in the place of ``optimizer.step``, behind the closure of the step.

    What `update` itself calls as ``optimizer.step`` is the step that was there before. Hooks of
    the optimizer so come between the backward pass, which some frameworks run within a closure,
    and the update.

    Parameters
    ----------
    optimizer : Optimizer
    update : callable
        `UpdateGuard.step`, or the step of the optimizer itself.

    Returns
    -------
    callable
        Gives the step back.
    """
    # A wrapper of another library, such as that of torch's schedulers, lies on the instance.
    before = optimizer.__dict__.get("step")
    original: Any = optimizer.step
    inside = False

    @wraps(original)
    def step(self: Optimizer, closure: Callable[[], Any] | None = None) -> Any:
        nonlocal inside
        if inside:
            return original(closure) if closure is not None else original()
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        _refuse_scaled(self)
        if hasattr(original, "_wrapped_by_lr_sched"):
            # torch's schedulers warn of a first step that was not made; a guard may skip it.
            self.__dict__["_opt_called"] = True
        inside = True
        try:
            update()
        finally:
            inside = False
        return result

    def give_back() -> None:
        if before is None:
            optimizer.__dict__.pop("step", None)
        else:
            optimizer.__dict__["step"] = before

    optimizer.__dict__["step"] = MethodType(step, optimizer)
    return give_back


def _refuse_scaled(optimizer: Optimizer) -> None:
    if getattr(optimizer, "grad_scale", None) is not None:
        raise UsageError(
            f"{type(optimizer).__name__} with fused=True unscales its gradients within its step, "
            "where they cannot be looked at: take fused=False, or precision bf16"
        )


def refuse_several(optimizers: Sequence[Any]) -> None:
    """Raise UsageError where there is not one optimizer."""
    if len(optimizers) != 1:
        raise UsageError(
            f"guard and health follow one optimizer, and this training has {len(optimizers)}: "
            "call them in its training step instead"
        )


def refuse_scaler(optimizer: Any) -> None:
    """Raise UsageError where accelerate holds a gradient scaler."""
    if getattr(optimizer, "scaler", None) is not None:
        raise UsageError(
            "a guard cannot stand beside the gradient scaler of accelerate, which replaces the "
            'step of the optimizer: take mixed_precision="bf16"'
        )
