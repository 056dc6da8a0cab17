"""A differentiable relative of the local distance difference test."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from trainlens_torch._tensors import shape
from trainlens_torch.checks import number, whole
from trainlens_torch.metrics._distances import Flat, between, flat, slices
from trainlens_torch.metrics._points import points, told
from trainlens_torch.metrics.lddt import CUTOFF, THRESHOLDS
from trainlens_torch.metrics.sample_mean import SampleMean

__all__ = ["SmoothLDDT", "smooth_lddt"]


def smooth_lddt(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    *,
    residue: Tensor | None = None,
    cutoff: float | Tensor = CUTOFF,
    chunk: int | None = None,
) -> Tensor:
    """`lddt` with a sigmoid in place of each threshold, as AlphaFold 3 trains with.

    The score of a pair is the mean of ``sigmoid(t - difference)`` over t = 0.5, 1, 2, 4, so a
    perfect prediction has about 0.804, not 1: it is for training (``1 - smooth_lddt(...)``), not
    to be held against values of `lddt`.

    Parameters
    ----------
    pred, target, mask, chunk
        As for `lddt`. The backward pass computes each chunk again, so that memory stays that
        of one chunk.
    residue : Tensor of integers, optional
        As for `lddt`. AlphaFold 3 gives none: it leaves out the pair of a point with itself alone.
    cutoff : float, or Tensor of a shape that expands to (..., N)
        By point: AlphaFold 3 takes 30 Å for nucleotides and 15 Å for all else.

    Returns
    -------
    Tensor of shape (...), within (0, 0.81)
        NaN where there is no pair. Differentiable in `pred`; at coincident points the gradient
        is 0.

    Raises
    ------
    TypeError, ValueError
        Points, a mask, residues or settings of another kind or shape.

    References
    ----------
    Abramson et al. 2024, doi:10.1038/s41586-024-07487-w, supplement, algorithm 27.

    Examples
    --------
    >>> target = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [8, 0, 0]]])
    >>> smooth_lddt(target, target)
    tensor([0.8041])
    """
    more = {} if residue is None else {"residue": residue}
    return told(*_measured(pred, target, mask, cutoff, chunk, **more))


class SmoothLDDT(SampleMean):
    """Mean of `smooth_lddt` over samples; named ``smooth_lddt``.

    Parameters
    ----------
    cutoff : float
        As for `smooth_lddt`; ``update(..., cutoff=...)`` takes one by point.
    chunk : int, optional
    """

    name = "smooth_lddt"
    higher_is_better = True

    def __init__(self, cutoff: float = CUTOFF, *, chunk: int | None = None) -> None:
        super().__init__()
        self.cutoff = number(cutoff, "cutoff", above=True)
        self.chunk = None if chunk is None else whole(chunk, "chunk")

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score of each sample, and whether it is defined."""
        cutoff = more.pop("cutoff", self.cutoff)
        return _measured(pred, target, mask, cutoff, self.chunk, **more)

    def settings(self) -> dict[str, Any]:
        """The cutoff."""
        return {"cutoff": self.cutoff}


def _measured(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None,
    cutoff: float | Tensor,
    chunk: int | None,
    residue: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    given = points(pred, target, mask, 3)
    checked = flat(given, residue)
    reach = _reach(cutoff, given.keep)
    score = checked.pred.new_zeros(len(checked.keep))
    pairs = torch.zeros_like(score, dtype=torch.int64)
    for rows in slices(checked, chunk if chunk is None else whole(chunk, "chunk")):
        more, count = checkpoint(
            _scores, checked, rows, reach, use_reentrant=False, preserve_rng_state=False
        )
        score, pairs = score + more, pairs + count
    batch = given.keep.shape[:-1]
    value, some = (score / pairs.clamp(min=1)).reshape(batch), (pairs > 0).reshape(batch)
    return told(value, given.finite), some | ~given.finite


def _scores(given: Flat, rows: slice, reach: float | Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the scores of the pairs of some rows, and their number; both of shape (B,)."""
    difference, pairs = between(given, rows, reach)
    each = torch.stack([torch.sigmoid(t - difference) for t in THRESHOLDS]).mean(0)
    return torch.where(pairs, each, torch.zeros_like(each)).sum((-2, -1)), pairs.sum((-2, -1))


def _reach(cutoff: float | Tensor, keep: Tensor) -> float | Tensor:
    if not isinstance(cutoff, Tensor):
        return number(cutoff, "cutoff", above=True)
    try:
        return cutoff.detach().expand(keep.shape).reshape(keep.shape[:-1].numel(), -1)
    except RuntimeError:
        raise ValueError(f"cutoff has {shape(cutoff)}, the mask {shape(keep)}") from None
