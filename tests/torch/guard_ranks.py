"""What each of two processes does in the test of the guard over ranks."""

from __future__ import annotations

import math

import pytest
import torch

from tests.torch.ranks import group
from trainlens_torch.guard import UpdateGuard


def main(rank, store):
    """The loss of one rank is not finite, the gradients are the same and finite on both."""
    with group(rank, store):
        weight = torch.nn.Parameter(torch.zeros(2))
        guard = UpdateGuard(torch.optim.SGD([weight], lr=1.0), out_of_memory="skip")
        for step in range(4):
            weight.grad = torch.ones(2)
            lost = math.nan if step == 1 + rank else 1.0
            assert bool(guard.step(torch.tensor(lost))) == (step in (1, 2)), (rank, step)
        assert weight.tolist() == [-2.0, -2.0]
        assert guard.report()["for_loss"] == 2
        with pytest.raises(torch.OutOfMemoryError), guard.sheltered():
            raise torch.OutOfMemoryError("CUDA out of memory")
