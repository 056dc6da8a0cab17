"""One entry of a log: what was recorded of one step, all in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Entry"]


class Entry(NamedTuple):
    """What one call of `RunLogger.log` holds once its values are known.

    A tuple, not a dataclass: it is made in the step path of a training.

    Parameters
    ----------
    step : int
        Optimizer updates so far.
    time : float
        Unix seconds at the call.
    losses, stats : mapping of str to float
        NaN and infinities are kept.
    split : str
    epoch, progress : float or None
    anomalies : tuple
        What detectors said about this step, as `trainlens.schema` has it.
    """

    step: int
    time: float
    losses: Mapping[str, float]
    stats: Mapping[str, float]
    split: str = "train"
    epoch: float | None = None
    progress: float | None = None
    anomalies: tuple[Any, ...] = ()
