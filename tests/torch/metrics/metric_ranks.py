"""What each of two processes does in the test of metrics over ranks."""

from __future__ import annotations

import torch

from tests.torch.ranks import group
from trainlens_torch.metrics import LDDT, MPJPE, ConfidenceCalibration, calibration


def batch(seed, many):
    g = torch.Generator().manual_seed(seed)
    target = 5 * torch.randn(many, 8, 3, generator=g)
    return target + torch.randn(many, 8, 3, generator=g), target


def confidence(seed, many, n):
    g = torch.Generator().manual_seed(seed)
    return 100 * torch.rand(many, n, generator=g), torch.rand(many, n, generator=g)


def main(rank, store):
    """Batches of different sizes, and a rank without any, give what one process would find."""
    with group(rank, store):
        for metric in (MPJPE(), LDDT()):
            whole = type(metric)()
            for r, many in ((0, 2), (1, 5)):
                whole.update(*batch(r, many))
            metric.update(*batch(rank, 2 + 3 * rank))
            own = metric.compute(sync=False)
            for _ in range(2):  # the exchange changes nothing of its own
                torch.testing.assert_close(metric.compute(), whole.compute(sync=False))
            assert metric.stats()[f"{metric.name}_count"] == 7
            assert torch.equal(metric.compute(sync=False), own)
            metric.reset()
            if rank == 0:
                metric.update(*batch(0, 2))
            assert torch.equal(metric.compute(), metric.compute())
            assert metric.stats()[f"{metric.name}_count"] == 2

        held, whole = ConfidenceCalibration(), ConfidenceCalibration()
        for r, n in ((0, 30), (1, 11)):
            whole.update(*confidence(r, 3, n))
        held.update(*confidence(rank, 3, (30, 11)[rank]))
        assert held.compute() == whole.compute(sync=False)
        seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
        found = held.interval(seeds[0], replicates=50)
        assert found == whole.interval(seeds[1], replicates=50, sync=False)
        held.reset()
        if rank == 1:
            held.update(*confidence(1, 3, 11))
        assert held.compute() == calibration(*confidence(1, 3, 11))
