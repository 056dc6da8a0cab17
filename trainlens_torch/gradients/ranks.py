"""What several ranks have to tell each other when they accumulate gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Ranks", "wide", "world_size"]


class Ranks:
    """The ranks over which a wrapped model averages its gradients; one where it is not wrapped.

    Parameters
    ----------
    model : Module or None
        Counts as wrapped where it has `no_sync`, as `DistributedDataParallel` and
        `FullyShardedDataParallel` have, or went through `fully_shard`.
    """

    def __init__(self, model: nn.Module | None) -> None:
        able = hasattr(model, "no_sync") or hasattr(model, "set_requires_gradient_sync")
        wrapped = able and dist.is_available() and dist.is_initialized()
        self._model: Any = model if wrapped else None
        self._group: Any = getattr(model, "process_group", None) if wrapped else None
        self.count: int = dist.get_world_size(self._group) if wrapped else 1

    @property
    def plain(self) -> bool:
        """Whether every parameter takes part in every exchange, whatever the forward pass did."""
        model = self._model
        return isinstance(model, DistributedDataParallel) and not model.find_unused_parameters

    def no_sync(self) -> AbstractContextManager[Any]:
        """Context in which gradients stay with their rank."""
        return nullcontext() if self._model is None else self._no_sync()

    def mean(self, weight: Tensor | float, device: torch.device) -> Tensor | float:
        """Mean of a weight over the ranks; a tensor where there are several."""
        if self.count == 1:
            return weight
        shared = _tensor(weight, device)
        dist.all_reduce(shared, group=self._group)
        return shared / self.count

    def summed(self, device: torch.device, *values: Tensor | float) -> tuple[Tensor | float, ...]:
        """Sums over the ranks, in one exchange; tensors where there are several."""
        if self.count == 1:
            return values
        shared = torch.stack([_tensor(value, device) for value in values])
        dist.all_reduce(shared, group=self._group)
        return tuple(shared.unbind())

    def add_nothing(self, parameters: list[Tensor]) -> None:
        """Take part in the exchange of gradients without a loss."""
        trained = [p for p in parameters if p.requires_grad]
        torch.autograd.backward(trained, [torch.zeros_like(p) for p in trained])

    def exchange(self, parameters: list[Tensor]) -> None:
        """Average gradients that stayed with their ranks.

        A parameter may have a gradient on some ranks only, so the ranks first say which they
        have; that waits for the device.

        Raises
        ------
        RuntimeError
            The wrapper holds its gradients in a way that only its own backward pass exchanges.
        """
        if self.count == 1:
            return
        if not isinstance(self._model, DistributedDataParallel):
            raise RuntimeError(
                f"gradients of a {type(self._model).__name__} are exchanged in its backward pass: "
                "begin the last micro-batch of an epoch with micro(last=True)"
            )
        there = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)
        there = there.to(parameters[0].device)
        dist.all_reduce(there, group=self._group)
        for parameter, some in zip(parameters, there.tolist(), strict=True):
            if some:
                grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                dist.all_reduce(grad, group=self._group)
                parameter.grad = grad.div_(self.count)

    @contextmanager
    def _no_sync(self) -> Iterator[None]:
        if hasattr(self._model, "no_sync"):
            with self._model.no_sync():
                yield
            return
        self._model.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self._model.set_requires_gradient_sync(True)


def wide(value: Tensor) -> Tensor:
    """A number in the widest type that its device has."""
    return value.to(_widest(value.device))


def _tensor(value: Tensor | float, device: torch.device) -> Tensor:
    if isinstance(value, Tensor):
        return wide(value.detach().to(device)).clone()
    # A fill needs no copy from the host.
    return torch.full((), value, dtype=_widest(device), device=device)


def _widest(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


def world_size() -> int:
    """Ranks of the process group of this process; 1 without one."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    return int(dist.get_world_size())
