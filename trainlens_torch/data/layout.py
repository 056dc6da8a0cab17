"""Which of several processes this is, for what is divided among them."""

from __future__ import annotations

import os

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.gradients.ranks import world_size
from trainlens_torch.record.ranks import of_process

__all__ = ["layout"]


def layout(rank: int | None, world: int | None) -> tuple[int, int]:
    """Rank of this process and number of ranks.

    Parameters
    ----------
    rank, world : int or None
        Both or neither. By default those of the process group, or, before there is one, those
        that ``torchrun`` gives (``RANK`` and ``WORLD_SIZE``); else 0 and 1. What a cluster says of
        a job is not believed: a single process may run in a job of several tasks.

    Raises
    ------
    UsageError
        One without the other, or a rank that is not below the number of ranks.
    """
    if (rank is None) != (world is None):
        if (rank or 0, world or 1) != (0, 1):
            raise UsageError("rank and world_size belong together: give both, or neither")
        return 0, 1
    if rank is None or world is None:
        return _found()
    if whole(rank, "rank", 0) >= whole(world, "world_size"):
        raise UsageError(f"rank {rank} of {world} ranks: the last rank is {world - 1}")
    return rank, world


def _found() -> tuple[int, int]:
    if (size := world_size()) > 1:
        return of_process(), size
    given = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE")]
    if all(text.isdecimal() for text in given) and int(given[0]) < int(given[1]):
        return int(given[0]), int(given[1])
    return 0, 1
