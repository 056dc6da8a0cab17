"""What each of two processes does in the tests of memory that runs out on one rank."""

from __future__ import annotations

import gc

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from tests.torch.memory.faults import Bombs, Fragile, net
from tests.torch.ranks import group
from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.memory import SplitOnOOM

ROWS = (7, 5)


def rows(update, rank):
    generator = torch.Generator().manual_seed(10 * update + rank)
    x = torch.randn(ROWS[rank], 3, generator=generator, dtype=torch.float64)
    return x, x[:, :2] * 3.0


def updates(rank, bombs, kind=torch.optim.SGD):
    """Three updates over both ranks; parameters are those of one process with all rows."""
    model = DistributedDataParallel(net(bombs))
    alone = net(Bombs())
    options = {"lr": 0.1, "momentum": 0.9}
    given = (bombs,) if kind is Fragile else ()
    split = SplitOnOOM(
        model, lambda b: (model(b[0]) - b[1]).square().mean(),
        kind(model.parameters(), *given, **options), batch=8, clock=Clock(9),
    )  # fmt: skip
    optimizer = torch.optim.SGD(alone.parameters(), **options)
    for update in range(3):
        x, y = (torch.cat(pair) for pair in zip(rows(update, 0), rows(update, 1), strict=True))
        whole = (alone(x) - y).square().mean()
        optimizer.zero_grad()
        whole.backward()
        optimizer.step()
        done = split.update(rows(update, rank))
        torch.testing.assert_close(done.loss.double(), whole.detach(), rtol=1e-9, atol=0)
        for ours, theirs in zip(model.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    assert (split.clock.updates, split.clock.samples) == (3, 3 * sum(ROWS))
    return split


def refused():
    """Models that exchange data within their passes."""
    model = nn.SyncBatchNorm.convert_sync_batchnorm(net(Bombs(), norm=True))
    with pytest.raises(UsageError, match="SyncBatchNorm exchanges"):
        SplitOnOOM(model, None, torch.optim.SGD(model.parameters()), batch=4)
    sharded = fully_shard(nn.Linear(4, 4), mesh=init_device_mesh("cpu", (2,)))
    with pytest.raises(UsageError, match="sharded"):
        SplitOnOOM(sharded, None, torch.optim.SGD(sharded.parameters()), batch=4)


def main(rank, store):
    torch.set_num_threads(1)
    with group(rank, store):
        assert updates(rank, Bombs()).out_of_memory == 0
        for kind in ("forward", "backward"):
            for one in (0, 1):
                split = updates(rank, Bombs(kind, {0, 2} if rank == one else ()))
                assert split.out_of_memory == 2  # on one rank, known to both
                assert (split.batch.size < 8) == (rank == one)
        assert updates(rank, Bombs("step", {0} if rank else ()), Fragile).out_of_memory == 1
        refused()
        gc.collect()  # a parallel wrapper must not outlive its group
        dist.barrier()
