"""Batches of any structure, counted and cut along their samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from typing import Any

from torch import Tensor

from trainlens.errors import UsageError

__all__ = ["count", "cut"]

_GIVE = "give SplitOnOOM a count= and a cut= of your own"


def count(batch: Any) -> int:
    """Samples of a batch: the first dimension that all of its tensors share.

    Parameters
    ----------
    batch : Tensor, or nested mapping, list or tuple of them

    Raises
    ------
    UsageError
        No tensor with a first dimension, or tensors that differ in it.

    Examples
    --------
    >>> import torch
    >>> count({"x": torch.zeros(4, 2), "y": (torch.zeros(4), "train")})
    4
    """
    found = {len(tensor) for tensor in _tensors(batch)}
    if not found:
        raise UsageError(f"the batch holds no tensor whose first dimension is samples; {_GIVE}")
    if len(found) > 1:
        sizes = ", ".join(map(str, sorted(found)))
        raise UsageError(f"tensors of the batch differ in their first dimension ({sizes}); {_GIVE}")
    return found.pop()


def cut(batch: Any, sizes: Sequence[int]) -> list[Any]:
    """Pieces of a batch, one after the other.

    Tensors are cut along their first dimension (views, no copies), and so are lists and tuples
    without a tensor inside that have as many entries as the batch has samples (texts, names). All
    else, tensors of no dimension included, goes into every piece as it is.

    Parameters
    ----------
    batch : Tensor, or nested mapping, list or tuple of them
    sizes : sequence of int
        Their sum is the number of samples.

    Examples
    --------
    >>> import torch
    >>> cut((torch.tensor([1, 2, 3]), ["a", "b", "c"], "train"), [2, 1])
    [(tensor([1, 2]), ['a', 'b'], 'train'), (tensor([3]), ['c'], 'train')]
    """
    if len(sizes) == 1:
        return [batch]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [_part(batch, end - size, end, ends[-1]) for size, end in zip(sizes, ends, strict=True)]


def _part(value: Any, start: int, stop: int, total: int) -> Any:
    if isinstance(value, Tensor):
        return value[start:stop] if value.dim() else value
    if isinstance(value, Mapping):
        parts = {key: _part(one, start, stop, total) for key, one in value.items()}
        if not isinstance(value, MutableMapping) or type(value) is dict:
            return parts
        made = copy(value)  # keeps its kind, whatever that one's constructor asks for
        made.update(parts)
        return made
    if not isinstance(value, list | tuple):
        return value
    if len(value) == total and next(_tensors(value), None) is None:
        return value[start:stop]
    inner = [_part(one, start, stop, total) for one in value]
    if hasattr(value, "_fields"):  # a named tuple takes its entries one by one
        return type(value)(*inner)
    return type(value)(inner)


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        if batch.dim():
            yield batch
    elif isinstance(batch, Mapping | list | tuple):
        for one in batch.values() if isinstance(batch, Mapping) else batch:
            yield from _tensors(one)
