"""A process group of forked ranks: ``python -m tests.torch.record.gloo FOLDER WORLD STEPS``."""

import multiprocessing
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from trainlens_torch.record.logger import RunLogger

_WAIT = timedelta(seconds=240)


def rank_of(folder, rank, world, steps):
    """Log in both modes, with a collective a step; one rank closes before the others."""
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=_WAIT)
    logs = [RunLogger(folder / f"{sync}", sync=sync) for sync in (False, True)]
    for step in range(steps):
        total = torch.tensor([float(rank + step)])
        dist.all_reduce(total)
        for log in logs:
            log.log(step, {"loss": float(rank + step), "sum": total})
    for log in logs * (rank == world - 1):
        log.close()
    dist.barrier()
    for log in logs:
        log.close()
        assert (log.errors, log.dropped) == (0, 0), log
    dist.destroy_process_group()


def main():
    folder, world, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=rank_of, args=(folder, n, world, steps)) for n in range(world)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    sys.exit(any(process.exitcode for process in ranks))


if __name__ == "__main__":
    main()
