"""The one module that needs torchmetrics."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from trainlens_torch.metrics.sample_mean import SampleMean

__all__ = ["TorchMetric"]


class TorchMetric(Metric):
    """A `SampleMean` whose sums torchmetrics keeps and brings together.

    Parameters
    ----------
    metric : SampleMean
    **options
        Of `torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(self, metric: SampleMean, **options: Any) -> None:
        super().__init__(**options)
        self.metric = metric
        # A collection takes metrics for one whose states have the same names and, after the first
        # batch, the same values: two that happen to be 0 there must differ in the name.
        own = zlib.crc32(repr((type(metric).__name__, metric.describe())).encode())
        self._state = f"sums_{own:08x}"
        self.add_state(self._state, torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]  # it depends on what is wrapped
        """As of the metric."""
        return self.metric.higher_is_better

    def update(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> None:
        """Add a batch."""
        new = self.metric.sums(pred, target, mask, **more)
        setattr(self, self._state, getattr(self, self._state) + new)

    def compute(self) -> Tensor:
        """Mean over samples; NaN where none defines a value."""
        return self.metric.mean(getattr(self, self._state))
