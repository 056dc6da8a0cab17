"""Metrics for libraries that take those of torchmetrics alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainlens.errors import MissingExtra
from trainlens_torch.metrics.sample_mean import SampleMean

if TYPE_CHECKING:
    from trainlens_torch.metrics._torchmetrics import TorchMetric

__all__ = ["as_torchmetrics"]


def as_torchmetrics(metric: SampleMean, **options: Any) -> TorchMetric:
    """The same metric as a `torchmetrics.Metric`.

    For ``self.log`` of Lightning, `torchmetrics.MetricCollection` and its wrappers: they take
    subclasses alone. torchmetrics then brings the sums of the ranks together.

    Parameters
    ----------
    metric : SampleMean
        Its own sums are neither read nor changed.
    **options
        Of `torchmetrics.Metric`, such as ``dist_sync_on_step``.

    Returns
    -------
    torchmetrics.Metric

    Raises
    ------
    MissingExtra
        torchmetrics is not installed.
    TypeError
        Something else than a `SampleMean`.

    Examples
    --------
    >>> from trainlens_torch.metrics import RMSD
    >>> metric = as_torchmetrics(RMSD())  # doctest: +SKIP
    >>> self.log("val/rmsd", metric)  # doctest: +SKIP
    """
    if not isinstance(metric, SampleMean):
        raise TypeError(f"expected a metric such as RMSD(), not {metric!r}")
    try:
        from trainlens_torch.metrics._torchmetrics import TorchMetric
    except ModuleNotFoundError as error:
        if error.name != "torchmetrics":
            raise
        raise MissingExtra("a metric of torchmetrics", "torchmetrics") from error
    return TorchMetric(metric, **options)
