"""Two processes that are ranks of one group, on the CPU."""

from __future__ import annotations

import datetime
import multiprocessing
from contextlib import contextmanager

import torch.distributed as dist
from torch.multiprocessing import start_processes


def both_end(work, folder, preload, seconds):
    """Run ``work(rank, store)`` in two processes; whether both end well within this time.

    One process imports the modules of `preload` and forks into two. What fails in a rank is raised.
    """
    multiprocessing.set_forkserver_preload(preload)
    store = (str(folder / "store"),)
    running = start_processes(work, store, 2, join=False, start_method="forkserver")
    try:
        return any(running.join(timeout=5) for _ in range(seconds // 5))
    finally:
        for process in running.processes:
            process.kill()


@contextmanager
def group(rank, store):
    """The group of both, which find each other through the file `store`."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(seconds=60),
    )
    try:
        yield
    finally:
        dist.destroy_process_group()
