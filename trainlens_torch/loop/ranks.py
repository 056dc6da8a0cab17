"""What the ranks of a process group take from the first of them, or wait for together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from trainlens.errors import TrainlensError
from trainlens_torch.gradients.ranks import world_size
from trainlens_torch.state import StateMismatch

__all__ = ["of_first", "on_first", "own_rank", "together"]

T = TypeVar("T")


def own_rank() -> int:
    """Rank within the process group; 0 without one."""
    return int(dist.get_rank()) if world_size() > 1 else 0


def of_first(value: T) -> T:
    """The value that rank 0 has, on all ranks; plain values only."""
    if world_size() == 1:
        return value
    shared: list[Any] = [value]
    dist.broadcast_object_list(shared, src=0)
    found: T = shared[0]
    return found


def together(work: Callable[[], T]) -> list[T]:
    """Results of all ranks, in their order; where one fails, all raise its error.

    None goes on before each has come here, and none waits for one that has failed.
    """
    if world_size() == 1:
        return [work()]
    outcome: Any
    try:
        outcome = work()
    except (TrainlensError, StateMismatch) as error:
        outcome = error
    except Exception as error:  # of any kind: the other ranks must not wait; it goes on here
        _every(RuntimeError(f"rank {own_rank()}: {type(error).__name__}: {error}"))
        raise
    found = _every(outcome)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


def on_first(work: Callable[[], T]) -> T:
    """The result of work that rank 0 does alone, on all ranks; all raise its error."""
    found: T = together(lambda: None if own_rank() else work())[0]  # type: ignore[assignment]
    return found


def _every(value: Any) -> list[Any]:
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, value)
    return found
