"""Clipping of gradients at a fixed norm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from trainlens_torch.gradients.norm import (
    Parameters,
    above_zero,
    gradients,
    joint,
    scale,
    total,
    tree,
)

__all__ = ["clip_gradients", "coefficient"]

_EPS = 1e-6  # as torch.nn.utils.clip_grad_norm_ has it: the results are the same bits


@torch.no_grad()
def clip_gradients(
    parameters: Parameters,
    max_norm: float | None,
    *,
    norm_type: float = 2.0,
    groups: Mapping[str, float] | None = None,
) -> Tensor:
    """Scale gradients down to a largest norm, and return the norm that they had.

    ``grad *= min(1, max_norm / (norm + 1e-6))``, where the norm is that of all gradients as one
    vector. As `torch.nn.utils.clip_grad_norm_`, except that

    - gradients whose norm is NaN or infinite stay as they are, where torch writes NaN or zeros
      into all of them: a guard that looks afterwards still sees which ones were at fault;
    - norms of float16 and bfloat16 gradients are float32: torch's overflow, and then zero healthy
      gradients;
    - groups may have limits of their own.

    Nothing waits for the device. Gradients that are scaled by a
    `torch.amp.GradScaler` have to be unscaled before.

    Parameters
    ----------
    parameters : Module, Tensor, iterable of Tensor, or parameter groups
        Those without a gradient (None) are left out.
    max_norm : float or None
        Above 0. None, or infinity, only measures.
    norm_type : float
        Order of the norm; infinity is the largest absolute value.
    groups : mapping of str to float, optional
        Limits of single parameter groups, by their names (a group without a ``"name"`` is called
        by its number: ``"0"``). They act before `max_norm`.

    Returns
    -------
    Tensor of shape ()
        Norm before any clipping, on the device of the gradients; 0 where there are none. For the
        log: ``grad_norm``.

    Raises
    ------
    TypeError, ValueError
        A limit that is no number above 0, or of a group that is not there; the gradients are
        unchanged.

    References
    ----------
    Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063.

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([weight], max_norm=1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    limit = math.inf if max_norm is None else above_zero(max_norm, "max_norm")
    order = above_zero(norm_type, "norm_type")
    members = tree(parameters)
    own = _limits(groups or {}, [name for name, _ in members])
    held = [(name, gradients(group)) for name, group in members]
    if own:
        return _by_group([(own.get(name, math.inf), grads) for name, grads in held], limit, order)
    grads = [grad for _, group in held for grad in group]
    norm = total(grads, order)
    if math.isfinite(limit):
        scale(grads, coefficient(limit, norm))
    return norm


def coefficient(limit: Tensor | float, norm: Tensor) -> Tensor:
    """What gradients of a norm are multiplied by so that it keeps to a limit; 1 if not finite.

    Parameters
    ----------
    limit : Tensor of shape () or float
        Above 0.
    norm : Tensor of shape ()

    Returns
    -------
    Tensor of shape (), in (0, 1]
    """
    return torch.where(norm.isfinite(), (limit / (norm + _EPS)).clamp(max=1.0), 1.0)


def _by_group(held: list[tuple[float, list[Tensor]]], limit: float, order: float) -> Tensor:
    held = [(own, grads) for own, grads in held if grads]
    parts = [total(grads, order) for _, grads in held]
    norm = joint(parts, order)
    factors = [coefficient(own, part) for (own, _), part in zip(held, parts, strict=True)]
    clipped = joint([part * f for part, f in zip(parts, factors, strict=True)], order)
    whole = coefficient(limit, clipped)
    for (_, grads), factor in zip(held, factors, strict=True):
        # A norm that is not finite in one group holds the others back, too.
        both = factor * whole.to(factor.device)
        scale(grads, torch.where(norm.isfinite().to(both.device), both, 1.0))
    return norm


def _limits(groups: Mapping[str, float], names: list[str]) -> dict[str, float]:
    limits = {name: above_zero(limit, f"groups[{name!r}]") for name, limit in groups.items()}
    unknown = [name for name in limits if name not in names]
    if unknown:
        known = ", ".join(repr(name) for name in names if name)
        raise ValueError(
            f"no parameter group is called {unknown[0]!r}; "
            + (f"there are {known}" if known else "give parameter groups instead of parameters")
        )
    return limits
