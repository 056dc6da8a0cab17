"""Memory that runs out where a test says so."""

from __future__ import annotations

import torch
from torch import nn

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB"


class Bombs:
    """Counts the places that are passed, and goes off at some of them.

    `at` holds numbers of passages of ``kind`` ("forward", "backward", "step"); `limit` is the most
    rows that a pass can take.
    """

    def __init__(self, kind="forward", at=(), limit=None):
        self.kind, self.at, self.limit = kind, set(at), limit
        self.passed = {"forward": 0, "backward": 0, "step": 0}

    def pass_by(self, kind, rows=0):
        number = self.passed[kind]
        self.passed[kind] += 1
        hit = kind == self.kind and (number in self.at or rows > (self.limit or rows))
        if hit:
            raise torch.OutOfMemoryError(SAID)


class _Passing(torch.autograd.Function):
    @staticmethod
    def forward(context, x, bombs):
        context.bombs = bombs
        return x.clone()

    @staticmethod
    def backward(context, grad):
        context.bombs.pass_by("backward", len(grad))
        return grad, None


class Bomb(nn.Module):
    """The identity."""

    def __init__(self, bombs):
        super().__init__()
        self.bombs = bombs

    def forward(self, x):
        self.bombs.pass_by("forward", len(x))
        return _Passing.apply(x, self.bombs)


def net(bombs, *, norm=False, dropout=0.0, dtype=torch.float64):
    """Two layers with a bomb in front of each and behind."""
    torch.manual_seed(3)
    middle = [nn.BatchNorm1d(5)] if norm else []
    layers = [
        Bomb(bombs), nn.Linear(3, 5), *middle, nn.Tanh(), Bomb(bombs), nn.Dropout(dropout),
        nn.Linear(5, 2), Bomb(bombs),
    ]  # fmt: skip
    return nn.Sequential(*layers).to(dtype)


class Fragile(torch.optim.SGD):
    """Momentum SGD that runs out of memory behind its first parameter, or before any."""

    def __init__(self, parameters, bombs, after=1, **options):
        super().__init__(parameters, **{"lr": 0.1, "momentum": 0.9, "foreach": False, **options})
        self.bombs, self.after = bombs, after

    def step(self, closure=None):
        whole = self.param_groups[0]["params"]
        self.param_groups[0]["params"] = whole[: self.after]
        try:
            super().step(closure)
            self.bombs.pass_by("step")
            self.param_groups[0]["params"] = whole[self.after :]
            return super().step(closure)
        finally:
            self.param_groups[0]["params"] = whole
