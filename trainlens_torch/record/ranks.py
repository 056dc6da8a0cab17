"""Which process this is: its rank, and the name of the files that it writes alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["of_process", "own_file", "own_folder"]

_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")


def of_process() -> int:
    """Rank of this process: of its process group, else of its launcher, else 0.

    Torch is not imported for it: without torch there is no process group.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    for name in _VARIABLES:
        given = os.environ.get(name, "")
        if given.isdecimal():
            return int(given)
    return 0


def own_file(path: Path, rank: int, process: int | None) -> Path:
    """The file that one process writes: ``log.jsonl``, ``log.rank1.jsonl``, ``log.pid77.jsonl``.

    Parameters
    ----------
    path : Path
        File of rank 0.
    rank : int
    process : int or None
        Id of a process that shares its rank with the one that made the logger, such as a fork.
    """
    parts = ([f"rank{rank}"] if rank else []) + ([] if process is None else [f"pid{process}"])
    return path.with_name(".".join([path.stem, *parts]) + path.suffix)


def own_folder(folder: Path, process: int | None) -> Path:
    """The folder of the other sinks, which tell ranks apart, but not processes of one rank."""
    return folder if process is None else folder / f"pid{process}"
