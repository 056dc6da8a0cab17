"""What each of two processes does in the tests of accumulation over ranks."""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from tests.torch.ranks import group
from trainlens_torch.gradients import Accumulation, AdaptiveClip, clip_gradients

# Rows of each micro-batch of each update: [update][rank][micro-batch].
ROWS = [[[5, 1], [2, 7]], [[3, 3], [4, 1]], [[1, 1], [9, 2]]]


class Net(nn.Module):
    """Two layers, and one that is frozen; the second input leaves the branch out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.first, self.frozen, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 1)
        self.branch = nn.Linear(4, 1)
        self.frozen.requires_grad_(False)
        self.double()

    def forward(self, x, branch=True):
        hidden = torch.tanh(self.frozen(torch.tanh(self.first(x))))
        return self.last(hidden) + (self.branch(hidden) if branch else 0.0)


def batch(update, rank, micro, rows):
    generator = torch.Generator().manual_seed(100 * update + 10 * rank + micro)
    return torch.randn(rows, 3, generator=generator, dtype=torch.float64)


def squares(model, x, **kwargs):
    return (model(x, **kwargs) - 1.0).square()


def whole(cells, update, **kwargs):
    """Gradient and mean loss of one process that has all rows at once."""
    model = Net()
    rows = [batch(update, rank, micro, n) for rank, micro, n in cells if n]
    loss = squares(model, torch.cat(rows), **kwargs).mean()
    loss.backward()
    return model, loss.detach()


def check(model, mean, expected, loss):
    torch.testing.assert_close(mean.double(), loss, rtol=1e-9, atol=0)
    for (name, ours), theirs in zip(
        model.module.named_parameters(), expected.parameters(), strict=True
    ):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-15, msg=name)


def wrapped(**kwargs):
    model = DistributedDataParallel(Net(), **kwargs)
    exchanges = []

    def count(state, bucket):
        exchanges.append(bucket.index())
        divided = bucket.buffer().div_(dist.get_world_size())
        return dist.all_reduce(divided, async_op=True).get_future().then(lambda f: f.value()[0])

    model.register_comm_hook(None, count)
    return model, exchanges


def updates(rank, weigh, reduction):
    """Several updates whose micro-batches have different numbers of rows on all ranks."""
    model, exchanges = wrapped()
    accumulate = Accumulation(model, steps=2)
    for update, rows in enumerate(ROWS):
        for micro, n in enumerate(rows[rank]):
            with accumulate.micro():
                loss = getattr(squares(model, batch(update, rank, micro, n)), reduction)()
                accumulate.backward(loss, weight=weigh(n), reduction=reduction)
        assert accumulate.due
        mean = accumulate.finish()
        check(model, mean, *whole(cells(rows), update))
        model.zero_grad()
    assert exchanges.count(0) == len(ROWS)  # one a update, not one a micro-batch
    return accumulate.state_dict()["unit"]


def cells(rows):
    return [(rank, micro, n) for rank, some in enumerate(rows) for micro, n in enumerate(some)]


def empty(rank, last, zero, **kwargs):
    """Rank 1 has no valid row in one micro-batch; its loss is the mean of nothing."""
    model, _ = wrapped(**kwargs)
    accumulate = Accumulation(model, steps=2)
    rows = [[4, 2], [0, 3] if not last else [3, 0]]
    branch = not kwargs
    for micro, n in enumerate(rows[rank]):
        with accumulate.micro():
            loss = squares(model, batch(0, rank, micro, max(n, 1)), branch=branch).mean()
            accumulate.backward(loss * (1.0 if n else math.nan), weight=n if n else zero)
    check(model, accumulate.finish(), *whole(cells(rows), 0, branch=branch))


def all_empty(zero):
    model, _ = wrapped()
    accumulate = Accumulation(model, steps=1)
    with accumulate.micro():
        loss = squares(model, batch(0, 0, 0, 1)).mean()
        accumulate.backward(loss, weight=zero)
    assert accumulate.finish() == 0
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads
    assert all((g == 0).all() for g in grads)


def short(rank, announced, expected):
    """An epoch that ends within an update; on rank 0 the branch was not used."""
    model, _ = wrapped()
    accumulate = Accumulation(model, steps=4, expected=expected)
    rows = [[5, 1], [2, 6]]
    for micro, n in enumerate(rows[rank]):
        with accumulate.micro(last=announced and micro == 1):
            loss = squares(model, batch(0, rank, micro, n)).mean()
            accumulate.backward(loss, weight=n)
        assert accumulate.due == (announced and micro == 1)
    check(model, accumulate.finish(), *whole(cells(rows), 0))


def one_sided(rank):
    """A branch that only rank 1 uses, in an epoch that ended without notice."""
    model, _ = wrapped(find_unused_parameters=True)
    accumulate = Accumulation(model, steps=4)
    with accumulate.micro():
        loss = squares(model, batch(0, rank, 0, 2), branch=rank == 1).mean()
        accumulate.backward(loss, weight=2)
    accumulate.finish()
    single = Net()
    losses = [squares(single, batch(0, r, 0, 2), branch=r == 1).mean() for r in (0, 1)]
    (sum(losses) / 2).backward()
    for ours, theirs in zip(model.module.parameters(), single.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-15)


def sharded(rank):
    """Parameters of which each rank holds a part; micro-batches without rows come as a sum."""
    model = Net().requires_grad_(True)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    accumulate = Accumulation(model, steps=2)
    rows = [[5, 1], [0, 7]]
    for micro, n in enumerate(rows[rank]):
        with accumulate.micro():
            loss = squares(model, batch(0, rank, micro, n)).sum()
            accumulate.backward(loss, weight=torch.tensor(n), reduction="sum")
    mean = accumulate.finish()
    single = Net().requires_grad_(True)
    parts = [batch(0, r, micro, n) for r, micro, n in cells(rows)]
    loss = squares(single, torch.cat(parts)).mean()
    loss.backward()
    torch.testing.assert_close(mean, loss.detach(), rtol=1e-9, atol=0)
    for ours, theirs in zip(model.parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.full_tensor(), theirs.grad, rtol=1e-9, atol=1e-15)
    norm = nn.utils.get_total_norm([p.grad for p in single.parameters()])
    for clip in (lambda m: clip_gradients(m, 0.5), AdaptiveClip(max_norm=0.25)):
        torch.testing.assert_close(clip(model).double(), norm, rtol=1e-6, atol=0)
        norm = clip_gradients(model, None)
    torch.testing.assert_close(float(norm), 0.25, rtol=1e-4, atol=0)


def main(rank, store):
    torch.set_num_threads(1)
    with group(rank, store):
        units = {updates(rank, weigh, kind) for weigh, kind in WEIGHTS}
        assert units == {4.0}  # of a mean first weight of 3.5, and two steps
        for last in (False, True):
            empty(rank, last, 0.0)
            empty(rank, last, torch.zeros(()))
        empty(rank, True, 0.0, find_unused_parameters=True)
        all_empty(0)
        all_empty(torch.tensor(0))
        for announced in (False, True):
            short(rank, announced, None)
            short(rank, announced, 4)
        one_sided(rank)
        sharded(rank)


WEIGHTS = [(float, "mean"), (torch.tensor, "mean"), (int, "sum"), (torch.tensor, "sum")]
