"""What happens to batches on their way into a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.data.nested import mapped

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

_LEAST = 1e-6


class Kept:
    """The batches of a loader without those of some steps, from epoch to epoch.

    Parameters
    ----------
    loader : iterable
    first, last : int
        Batches that are left out, both included, counted from the begin of the training.
    position : int
        Batch with which the loader begins.
    """

    def __init__(self, loader: Iterable[Any], first: int, last: int, position: int = 0) -> None:
        self.loader, self.first, self.last, self.position = loader, first, last, position

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            at, self.position = self.position, self.position + 1
            if not self.first <= at <= self.last:
                yield batch


class Standardize(nn.Module):
    """Inputs of mean 0 and standard deviation 1, by what a first batch showed.

    Both are buffers: they are saved with the model, and evaluation uses those of the training.

    Parameters
    ----------
    batch : Tensor of shape (n, ...)
        Of its features, the second axis, each has a mean and a deviation of its own. A feature
        that does not vary is only moved.

    Raises
    ------
    UsageError
        Values that are not finite, or no floating-point numbers.

    Examples
    --------
    >>> inputs = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    >>> Standardize(inputs)(inputs)
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, batch: Tensor) -> None:
        super().__init__()
        if not batch.is_floating_point() or batch.ndim < 2 or not bool(batch.isfinite().all()):
            raise UsageError(
                "data.normalize needs a batch of finite floating-point numbers, shape (n, ...)"
            )
        over = [axis for axis in range(batch.ndim) if axis != 1]
        mean = batch.mean(over, keepdim=True)[0]
        std = (batch - mean).square().mean(over, keepdim=True).sqrt()[0]
        self.register_buffer("mean", mean)
        self.register_buffer("std", torch.where(std > _LEAST * mean.abs(), std, 1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of the same features."""
        return (inputs - self.mean) / self.std


def without_skipped(
    config: TrainingConfig, loader: Iterable[Any], clock: Clock | None
) -> Iterable[Any]:
    """A loader without the batches that are left out; iterate it once an epoch."""
    span = config.data.skip_steps
    if span is None:
        return loader
    # Batches that are cut up on their way are whole updates.
    each = 1 if config.memory.on_oom == "split" else config.batch.accumulation
    first, last = span[0] * each, (span[1] + 1) * each - 1
    at = 0 if clock is None else clock.updates * each + clock.micro
    # Behind the gap, the data are ahead of the updates.
    return Kept(loader, first, last, at if at <= first else at + last - first + 1)


def shorten(config: TrainingConfig, batch: Any, dim: int) -> Any:
    """A batch whose tensors are cut along an axis, in any nesting."""
    most = config.data.sequence_length
    if most is None:
        return batch

    def cut(one: Any) -> Any:
        long = isinstance(one, Tensor) and one.ndim > dim
        return one.narrow(dim, 0, min(most, one.shape[dim])) if long else one

    return mapped(batch, cut)


def standardize(config: TrainingConfig, batch: Tensor) -> nn.Module:
    """What normalises inputs, by a first batch; it does nothing where that is not asked for."""
    return Standardize(batch) if config.data.normalize else nn.Identity()
