"""Processes that save checkpoints: one that is killed, and two that are ranks of a group."""

from __future__ import annotations

import gc
import itertools
import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.torch.loop.training import Sampler
from tests.torch.ranks import group
from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.loop import Checkpointer, DamagedCheckpoint, EarlyStopping
from trainlens_torch.state import StateMismatch

SIZE = 1 << 16


def filled(step):
    """What the model of a step holds."""
    return torch.full((SIZE,), float(step))


def saver_of(folder):
    """A model of some size, and its checkpoints."""
    model, clock = nn.ParameterDict({"w": nn.Parameter(torch.zeros(SIZE))}), Clock(10**6)
    return model, clock, Checkpointer(folder, {"model": model, "clock": clock}, keep=2)


def save_until_killed(folder):
    """Save as fast as can be; tell each save that is done in the file ``done``."""
    torch.set_num_threads(1)
    model, clock, saver = saver_of(Path(folder) / "saves")
    found = saver.resume(fallback=False)
    done = os.open(Path(folder) / "done", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for step in itertools.count(0 if found is None else found.step + 1):
        model["w"].data.copy_(filled(step))
        clock.updates = step
        saver.save(step, metric=float(step % 7))
        os.write(done, f"{step}\n".encode())


def ranks(rank, store):
    """Rank 0 writes what is shared, each rank its random numbers and its sampler."""
    torch.set_num_threads(1)
    folder = Path(store).parent / "saves"
    with group(rank, store):
        path = _resumed(folder, rank)
        _refused(folder, rank, path)
        _stopped(rank)
        # A parallel wrapper that outlives its group may wait for the other rank when it is freed.
        gc.collect()
        torch.distributed.barrier()


def _resumed(folder, rank):
    model, sampler, saver = _made(folder, rank)
    torch.manual_seed(100 + rank)
    with torch.no_grad():
        model.module.weight.fill_(7.0)
    sampler.take(3 + rank)
    path = saver.save(5, metric=1.0)
    told = json.loads((path / "manifest.json").read_text())
    assert sorted(told["files"]) == ["rank0.pt", "rank1.pt", "shared.pt"]
    expected = torch.rand(3), sampler.take(4)
    again, sampler, saver = _made(folder, rank)
    assert saver.resume().step == 5
    assert torch.equal(torch.rand(3), expected[0])
    assert sampler.take(4) == expected[1]
    assert bool((again.module.weight == 7.0).all())
    return path


def _made(folder, rank):
    model = DistributedDataParallel(nn.Linear(2, 2))
    sampler = Sampler(rank)
    return model, sampler, Checkpointer(folder, {"model": model}, of_rank={"sampler": sampler})


class Broken(Sampler):
    """Its state cannot be had."""

    def __init__(self, error):
        super().__init__(0)
        self.error = error

    def state_dict(self):
        if self.error is not None:
            raise self.error
        return super().state_dict()


def _refused(folder, rank, path):
    """What fails on one rank fails on both, and neither waits for the other."""
    for error, there in ((UsageError("no state"), UsageError), (OSError("lost"), RuntimeError)):
        sampler = Broken(error if rank else None)
        with pytest.raises(type(error) if rank else there, match=r"no state|lost"):
            Checkpointer(folder, {}, of_rank={"sampler": sampler}).save(6)
    if rank == 0:  # which clears it away, and for which the other does not wait
        assert len(list(folder.iterdir())) == 1
    with pytest.raises(StateMismatch, match=r"parts.clock was not there"):
        Checkpointer(folder, {"clock": Clock(1)}).resume()
    torch.distributed.barrier()
    if rank == 0:
        data = (path / "rank1.pt").read_bytes()
        (path / "rank1.pt").write_bytes(data[:-9])
    _, _, saver = _made(folder, rank)
    with pytest.raises(DamagedCheckpoint, match=r"rank1.pt has \d+ of"):
        saver.resume()


def _stopped(rank):
    """All ranks decide by the value of the first."""
    stopping = EarlyStopping(2, noise=None)
    found = [stopping.update(value + rank * 10 * (-1) ** i) for i, value in enumerate((3, 2, 2, 2))]
    assert found == [False, False, False, True]
    assert stopping.best == 2.0
