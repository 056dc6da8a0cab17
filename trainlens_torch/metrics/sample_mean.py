"""A metric that is the mean of one value a sample, over batches and ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from trainlens_torch.gradients.ranks import wide
from trainlens_torch.metrics._ranks import summed
from trainlens_torch.state import packed, unpacked

__all__ = ["SampleMean"]

_VERSION = 1


class SampleMean(ABC):
    """Mean over samples: every sample weighs the same, whatever the batches and ranks.

    A sample that defines no value (nothing in it counts) is left out of the mean and counted. A
    NaN among coordinates that count is no such sample: it makes the mean NaN, so that it is seen.

    `update` reads nothing on the host and keeps no graph. Sums are float64 where the device has
    it, on the device of the input.

    Attributes
    ----------
    name : str
        Under which `stats` tells the mean.
    higher_is_better : bool
    """

    name: str = ""
    higher_is_better: bool = False

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    @abstractmethod
    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Value of each sample, and whether it is defined; both of shape (...)."""

    def settings(self) -> dict[str, Any]:
        """What the metric was made with, in plain values."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Name and settings, for the header of a log: ``RunLogger(config={"metrics": [...]})``."""
        return {"metric": self.name, **self.settings()}

    def sums(self, *args: Any, **more: Any) -> Tensor:
        """Of one batch: sum of the values, samples that have one, samples that have none.

        Returns
        -------
        Tensor of shape (3,), without gradient
        """
        with torch.no_grad():
            values, defined = self.measured(*args, **more)
            values = torch.where(defined, values, torch.zeros_like(values))
            return torch.stack([wide(x).sum() for x in (values, defined, ~defined)])

    def update(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> None:
        """Add a batch.

        Parameters
        ----------
        pred, target : Tensor of shape (..., N, D)
        mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
            Points that count.
        **more : Tensor
            What else the metric takes, such as the residues of `LDDT`.
        """
        new = self.sums(pred, target, mask, **more)
        self._sums = new if self._sums is None else self._sums.to(new.device) + new

    def compute(self, sync: bool = True) -> Tensor:
        """Mean of all samples so far.

        Parameters
        ----------
        sync : bool
            Over all ranks of the process group, if there is one; then every rank has to call it.

        Returns
        -------
        Tensor of shape (), float64 where the device has it
            NaN where no sample defines a value.
        """
        return self.mean(self._all(sync))

    @staticmethod
    def mean(sums: Tensor) -> Tensor:
        """The mean that some `sums` make."""
        return sums[0] / sums[1]

    def stats(self, sync: bool = True) -> dict[str, Tensor]:
        """What a logger takes: the mean, the samples in it, and those left out.

        Returns
        -------
        dict of str to Tensor of shape ()
            ``NAME``, ``NAME_count`` and ``NAME_undefined_count``.
        """
        sums = self._all(sync)
        return {
            self.name: self.mean(sums),
            f"{self.name}_count": sums[1],
            f"{self.name}_undefined_count": sums[2],
        }

    def reset(self) -> None:
        """Forget all samples."""
        self._sums = None

    def state_dict(self) -> dict[str, Any]:
        """Sums and settings in plain values; reads them on the host."""
        sums = None if self._sums is None else self._sums.tolist()
        return packed(type(self).__name__, _VERSION, self.describe(), sums=sums)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from saved sums; `StateMismatch` if they are of another metric."""
        (sums,) = unpacked(state, type(self).__name__, _VERSION, self.describe(), "sums")
        self._sums = None if sums is None else torch.tensor(sums, dtype=torch.float64)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.settings().items())
        return f"{type(self).__name__}({given})"

    def _all(self, sync: bool) -> Tensor:
        own = torch.zeros(3, dtype=torch.float64) if self._sums is None else self._sums
        return summed(own) if sync else own
