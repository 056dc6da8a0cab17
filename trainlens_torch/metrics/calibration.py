"""How far a predicted confidence can be trusted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from trainlens_torch._tensors import shape, wide
from trainlens_torch.checks import number, whole
from trainlens_torch.metrics._points import mask_of
from trainlens_torch.metrics._ranks import gathered
from trainlens_torch.metrics._weighted import agreement

__all__ = ["Calibration", "ConfidenceCalibration", "calibration"]

_HELD = 2**22
_MOST_TARGETS = 2**32


@dataclass(frozen=True)
class Calibration:
    """Agreement of a confidence with the score that it predicts, over residues.

    Parameters
    ----------
    mae : float
        Mean absolute difference.
    bias : float
        Mean of confidence minus score: above 0 is overconfident.
    spearman : float
        Rank correlation, equal values sharing a rank; NaN where one side is constant.
    ece : float
        Expected calibration error over bins of equal mass.
    count : int
        Residues that were compared.
    undefined : int
        Residues that were asked for and have no score (NaN); they are left out.

    All of them are NaN where nothing was compared, and where a confidence is NaN.
    """

    mae: float
    bias: float
    spearman: float
    ece: float
    count: int
    undefined: int

    def stats(self) -> dict[str, float]:
        """What a logger takes: ``confidence_mae``, ``confidence_bias``, and so on."""
        return {f"confidence_{name}": value for name, value in asdict(self).items()}


def calibration(
    confidence: Tensor,
    score: Tensor,
    mask: Tensor | None = None,
    *,
    bins: int = 10,
    scale: float = 100.0,
) -> Calibration:
    """Compare a confidence, such as pLDDT, with the score that it predicts, such as lDDT.

    Reads on the host: meant for validation.

    Parameters
    ----------
    confidence : Tensor of any shape
    score : Tensor of that shape
        NaN, as `lddt_per_residue` gives for a residue without neighbours, is left out.
    mask : Tensor of bool or integers, of a shape that expands to it, optional
    bins : int
        Of equal mass, in the order of the confidence. Equal confidences are never told apart.
    scale : float
        What the confidence is divided by: 100 for pLDDT, 1 for shares.

    Returns
    -------
    Calibration

    Raises
    ------
    TypeError, ValueError
        Values, a mask or settings of another kind or shape.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599 (ECE); Nguyen and O'Connor 2015, arXiv:1508.05154 (bins of
    equal mass).

    Examples
    --------
    >>> found = calibration(torch.tensor([90.0, 70.0, 50.0]), torch.tensor([0.8, 0.6, 0.4]))
    >>> round(found.bias, 3), round(found.ece, 3), found.spearman
    (0.1, 0.1, 1.0)
    """
    measure = ConfidenceCalibration(bins, scale)
    measure.update(confidence, score, mask)
    return measure.compute(sync=False)


class ConfidenceCalibration:
    """`calibration` over batches and ranks, with intervals by target.

    Keeps confidence and score of every residue (on the device, 9 bytes each in float32 with the
    mask): both ranks and intervals need them all.

    Parameters
    ----------
    bins, scale
        As for `calibration`.

    Examples
    --------
    >>> metric = ConfidenceCalibration()
    >>> plddt = torch.tensor([[90.0, 70.0], [60.0, 80.0]])  # two targets of two residues
    >>> metric.update(plddt, plddt / 100 - 0.1)
    >>> round(metric.compute().mae, 3)
    0.1
    >>> low, high = metric.interval(torch.Generator().manual_seed(0))["bias"]
    >>> round(low, 3), round(high, 3)
    (0.1, 0.1)
    """

    name = "confidence"

    def __init__(self, bins: int = 10, scale: float = 100.0) -> None:
        self.bins, self.scale = whole(bins, "bins"), number(scale, "scale", above=True)
        self._held: list[tuple[Tensor, Tensor, Tensor]] = []

    def update(self, confidence: Tensor, score: Tensor, mask: Tensor | None = None) -> None:
        """Add a batch; reads nothing on the host.

        Parameters
        ----------
        confidence, score : Tensor of shape (..., N)
            Each row of the last axis is one target.
        mask : Tensor of bool or integers, of a shape that expands to it, optional

        Raises
        ------
        ValueError
            The shapes differ, or there is no axis of targets.
        """
        c, s = wide(confidence.detach()), wide(score.detach())
        if c.shape != s.shape or not c.dim():
            raise ValueError(f"the confidence has {shape(c)}, the score {shape(s)}")
        rows = c.shape[-1]
        keep = mask_of(mask, c)
        c, s, keep = (x.reshape(-1, rows).clone() for x in (c / self.scale, s, keep))
        self._held.append((c, s, keep))

    def compute(self, sync: bool = True) -> Calibration:
        """Agreement over all residues so far.

        Parameters
        ----------
        sync : bool
            Over all ranks of the process group, if there is one; then every rank has to call it.
        """
        confidence, score, _, undefined = self._all(sync)
        weight = torch.ones(1, len(score), dtype=torch.float64)
        found = agreement(confidence, score, weight, self.bins)
        values = {name: float(value[0]) for name, value in found.items()}
        return Calibration(**values, count=len(score), undefined=undefined)

    def interval(
        self,
        generator: torch.Generator,
        level: float = 0.95,
        replicates: int = 1000,
        sync: bool = True,
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals: targets are drawn again, each with all of its residues.

        Residues of one target are alike, so drawing residues would give intervals that are far
        too narrow.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU; of the same seed on every rank, for the same intervals there.
        level : float
            Share of the replicates within an interval, between 0 and 1.
        replicates : int
        sync : bool
            As for `compute`.

        Returns
        -------
        dict of str to (low, high)
            Of ``mae``, ``bias``, ``spearman`` and ``ece``: percentiles of the replicates that
            define the value, NaN if none does.

        Raises
        ------
        TypeError, ValueError
            Fewer than two targets with a score, or settings outside their range.
        """
        level, many = number(level, "level", 0.0, 1.0, above=True), whole(replicates, "replicates")
        confidence, score, target, _ = self._all(sync)
        targets, own = torch.unique(target, return_inverse=True)
        if len(targets) < 2:
            raise ValueError(
                f"an interval needs two targets or more, and {len(targets)} have a score; update "
                "with one row a target"
            )
        picks = torch.randint(len(targets), (many, len(targets)), generator=generator)
        step = max(1, _HELD // len(score))
        parts = []
        for at in range(0, many, step):
            times = _times(picks[at : at + step], len(targets))
            parts.append(agreement(confidence, score, times[:, own], self.bins))
        ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
        return {name: _ends(torch.cat([part[name] for part in parts]), ends) for name in parts[0]}

    def reset(self) -> None:
        """Forget all residues."""
        self._held = []

    def describe(self) -> dict[str, Any]:
        """Name and settings, for the header of a log."""
        return {"metric": self.name, "bins": self.bins, "scale": self.scale}

    def _all(self, sync: bool) -> tuple[Tensor, Tensor, Tensor, int]:
        """Confidence, score and target of what has a score, and how many have none."""
        parts, before = [torch.zeros(3, 0, dtype=torch.float64)], 0
        for held in self._held:
            confidence, score, keep = (x.cpu() for x in held)
            target = torch.arange(before, before + len(score))[:, None].expand_as(score)
            before += len(score)
            values = [x[keep].double() for x in (confidence, score, target)]
            parts.append(torch.stack(values))
        ranks = gathered(torch.cat(parts, -1)) if sync else [torch.cat(parts, -1)]
        for rank, found in enumerate(ranks):
            found[2] += rank * _MOST_TARGETS  # targets of two ranks are never the same
        confidence, score, target = torch.cat(ranks, -1)
        there = ~score.isnan()
        return confidence[there], score[there], target[there], int((~there).sum())


def _times(picks: Tensor, targets: int) -> Tensor:
    """How often each target was drawn; float64 of shape (replicates, targets)."""
    times = torch.zeros(len(picks), targets, dtype=torch.float64)
    return times.scatter_add(-1, picks, torch.ones_like(picks, dtype=torch.float64))


def _ends(values: Tensor, ends: Tensor) -> tuple[float, float]:
    low, high = torch.nanquantile(values, ends).tolist()
    return low, high
