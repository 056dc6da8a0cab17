"""Parameters and state of an optimizer, kept while it steps."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["Kept", "Marks"]


class Kept:
    """Copies in the memory of the host of all that an optimizer step changes.

    Parameters
    ----------
    optimizer : Optimizer
        Its parameters without a gradient are left out: a step does not touch them.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._moving = moving(optimizer)
        self._groups = [_copied(group) for group in optimizer.param_groups]
        self._state = {p: _copied(optimizer.state[p]) for p in self._moving if p in optimizer.state}
        self._values = [_Held(p) for p in self._moving]

    @torch.no_grad()
    def put_back(self) -> None:
        """All as it was; state that the step has made is gone."""
        for value in self._values:
            value.restored()
        for group, held in zip(self._optimizer.param_groups, self._groups, strict=True):
            group.update(_restored(held))
        for parameter in self._moving:
            self._optimizer.state.pop(parameter, None)
            if parameter in self._state:
                self._optimizer.state[parameter] = _restored(self._state[parameter])


class Marks:
    """Whether a step has changed anything, seen without a copy.

    Torch counts in-place writes to a tensor, but for those of fused kernels, and of kernels that
    other packages bring.

    Parameters
    ----------
    optimizer : Optimizer
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._before = self._now()
        # Alive, so that no other tensor can come to have the id of one of these.
        self._tensors = [list(_leaves(optimizer.state.get(p))) for p in moving(optimizer)]

    def moved(self) -> bool:
        """Whether a parameter or a state was written to, or a state was made, or may have been."""
        groups = self._optimizer.param_groups
        counted = _is_of_torch(self._optimizer) and not any(g.get("fused") for g in groups)
        return not counted or self._now() != self._before

    def _now(self) -> list[Any]:
        found: list[Any] = []
        for parameter in moving(self._optimizer):
            for value in (parameter, *_leaves(self._optimizer.state.get(parameter))):
                held = isinstance(value, Tensor)
                found.append((id(value), value._version) if held else value)
        return found


def _is_of_torch(optimizer: torch.optim.Optimizer) -> bool:
    kinds = [kind for kind in type(optimizer).__mro__ if kind.__module__.startswith("torch.optim.")]
    return any(kind is not torch.optim.Optimizer for kind in kinds)


def moving(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Parameters that a step changes: those with a gradient."""
    return [p for g in optimizer.param_groups for p in g["params"] if p.grad is not None]


class _Held:
    """A tensor, and what it held."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor, self._copy = tensor, tensor.detach().to("cpu", copy=True)

    def restored(self) -> Tensor:
        self._tensor.detach().copy_(self._copy)
        return self._tensor


def _copied(value: Any) -> Any:
    """Containers copied; of each tensor, itself and a copy of what it holds."""
    if isinstance(value, Tensor):
        return _Held(value)
    if isinstance(value, MutableMapping):
        return {key: _copied(one) for key, one in value.items() if key != "params"}
    if isinstance(value, list | tuple):
        return type(value)([_copied(one) for one in value])
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, _Held):
        return value.restored()
    if isinstance(value, dict):
        return {key: _restored(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_restored(one) for one in value])
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, MutableMapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif value is not None:
        yield value
