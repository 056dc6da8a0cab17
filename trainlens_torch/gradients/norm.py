"""Norms of gradients and their scaling, many tensors at once and without a host sync."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Parameters", "above_zero", "gradients", "joint", "norms", "scale", "total", "tree"]

Parameters: TypeAlias = "nn.Module | Tensor | Iterable[Tensor] | Iterable[Mapping[str, Any]]"
"""A model, parameters, or the parameter groups of an optimizer."""

_HALF = (torch.float16, torch.bfloat16)


def tree(parameters: Parameters) -> list[tuple[str, list[Tensor]]]:
    """Parameters by the name of their group; one group without a name where there are none.

    Raises
    ------
    TypeError
        Something that is no tensor.
    """
    if isinstance(parameters, nn.Module):
        return [("", list(parameters.parameters()))]
    if isinstance(parameters, Tensor):
        return [("", [parameters])]
    given: list[Any] = list(parameters)
    if any(isinstance(one, Mapping) for one in given):
        return [(str(g.get("name", i)), _tensors(g["params"])) for i, g in enumerate(given)]
    return [("", _tensors(given))]


def gradients(parameters: Parameters) -> list[Tensor]:
    """The gradients that are there; a frozen parameter, whose gradient is None, has none."""
    return [p.grad for _, group in tree(parameters) for p in group if p.grad is not None]


def norms(grads: list[Tensor], norm_type: float = 2.0) -> list[Tensor]:
    """Norm of each gradient, in their order.

    Those in half precision are summed up and told in float32: their squares leave the range of a
    float16 at a gradient of 256, and a bfloat16 holds three digits of a norm.

    Parameters
    ----------
    grads : list of Tensor
    norm_type : float
        Above 0; infinity is the largest absolute value.

    Returns
    -------
    list of Tensor, each of shape ()
    """
    out: list[Tensor] = [_NONE] * len(grads)
    for places in _alike(grads):
        some = [dense(grads[i]) for i in places]
        dtype = torch.float32 if some[0].dtype in _HALF else None
        found = torch._foreach_norm(some, norm_type, dtype=dtype)
        for place, norm in zip(places, found, strict=True):
            out[place] = _whole(norm)
    return out


def joint(parts: list[Tensor], norm_type: float = 2.0) -> Tensor:
    """Norm of all that some norms were taken of, on the device of the first; 0 of nothing."""
    if not parts:
        return torch.zeros(())
    device = parts[0].device
    widest = torch.float32
    for part in parts:
        widest = torch.promote_types(widest, part.dtype)
    stacked = torch.stack([part.to(device=device, dtype=widest) for part in parts])
    norm: Tensor = torch.linalg.vector_norm(stacked, norm_type)
    return norm


def total(grads: list[Tensor], norm_type: float = 2.0) -> Tensor:
    """Norm of all gradients as one vector; shape (), float32 or wider."""
    return joint(norms(grads, norm_type), norm_type)


def scale(grads: list[Tensor], factor: Tensor | float) -> None:
    """Multiply gradients in place by a number or by a tensor of shape ()."""
    for places in _alike(grads):
        some = [grads[i] for i in places]
        if isinstance(factor, Tensor):
            # One kernel for all needs one type; three digits of a factor would be too few.
            dtype = factor.dtype if some[0].dtype in _HALF else some[0].dtype
            torch._foreach_mul_(some, factor.to(device=some[0].device, dtype=dtype))
        else:
            torch._foreach_mul_(some, factor)


def above_zero(value: Any, name: str) -> float:
    """A number above 0, infinity included.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if math.isnan(value) or value <= 0:
        raise ValueError(f"{name} must be above 0, not {value}")
    return float(value)


def _alike(tensors: list[Tensor]) -> list[list[int]]:
    """Positions of tensors of the same device, type and layout: what one kernel takes."""
    found: dict[tuple[torch.device, torch.dtype, torch.layout], list[int]] = {}
    for i, tensor in enumerate(tensors):
        found.setdefault((tensor.device, tensor.dtype, tensor.layout), []).append(i)
    return list(found.values())


def dense(grad: Tensor) -> Tensor:
    """The stored values of a gradient; of one that is sparse, entries stored twice as their sum."""
    return grad.coalesce().values() if grad.is_sparse else grad


def _whole(norm: Tensor) -> Tensor:
    # Of a sharded tensor each rank knows its part until it asks the others.
    gather = getattr(norm, "full_tensor", None)
    return norm if gather is None else gather()


def _tensors(given: Any) -> list[Tensor]:
    found = [given] if isinstance(given, Tensor) else list(given)
    wrong = next((one for one in found if not isinstance(one, Tensor)), None)
    if wrong is not None:
        raise TypeError(
            f"parameters are a model, tensors or parameter groups, not {type(wrong).__name__}"
        )
    return found


_NONE = torch.zeros(())
