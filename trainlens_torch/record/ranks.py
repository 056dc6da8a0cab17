"""Which process this is: its rank, and the name of the files that it writes alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["of_process", "own_file", "own_folder", "world"]

_VARIABLES = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
_WORLD = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")


def of_process() -> int:
    """Rank of this process: of its process group, else of its launcher, else 0.

    Torch is not imported for it: without torch there is no process group.
    """
    found = _of_group("get_rank")
    return (_of_launcher(_VARIABLES) or 0) if found is None else found


def world() -> int | None:
    """Number of ranks: of the process group, else as the launcher tells it, else None."""
    found = _of_group("get_world_size")
    return _of_launcher(_WORLD) or None if found is None else found


def _of_group(name: str) -> int | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(getattr(distributed, name)())
    return None


def _of_launcher(names: tuple[str, ...]) -> int | None:
    given = (os.environ.get(name, "") for name in names)
    return next((int(text) for text in given if text.isdecimal()), None)


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
