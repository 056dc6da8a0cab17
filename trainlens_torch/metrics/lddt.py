"""Local distance difference test: which distances to neighbours are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainlens_torch.checks import number, whole
from trainlens_torch.metrics._distances import Flat, between, flat, slices
from trainlens_torch.metrics._points import points, told
from trainlens_torch.metrics.sample_mean import SampleMean

__all__ = ["CUTOFF", "LDDT", "THRESHOLDS", "lddt", "lddt_per_residue"]

CUTOFF = 15.0
THRESHOLDS = (0.5, 1.0, 2.0, 4.0)


def lddt(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    *,
    residue: Tensor | None = None,
    cutoff: float = CUTOFF,
    thresholds: Sequence[float] = THRESHOLDS,
    chunk: int | None = None,
) -> Tensor:
    """Share of the short distances of the target that the prediction keeps, of each sample.

    Over all pairs of points of different residues whose distance in the target is below
    `cutoff`: the share whose distance differs by at most t, averaged over the thresholds t.
    Nothing is superposed. Atoms that could change their names (those of a flipped ring) are
    taken as they are named.

    Parameters
    ----------
    pred, target : Tensor of shape (..., N, 3)
        In Å for the usual settings. C-alpha atoms, or all atoms with their `residue`. A
        coordinate that counts and is not finite gives NaN.
    mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
        Points that both sides have.
    residue : Tensor of integers, of a shape that expands to (..., N), optional
        Residue of each point; without it each point is one.
    cutoff : float
    thresholds : sequence of float
    chunk : int, optional
        Rows of the distance matrix held at once; by default so many that a tensor of pairs has
        two million entries. No result depends on it.

    Returns
    -------
    Tensor of shape (...), within [0, 1]
        NaN where there is no pair. Has no gradient: see `smooth_lddt`.

    Raises
    ------
    TypeError, ValueError
        Points, a mask, residues or settings of another kind or shape.

    References
    ----------
    Mariani et al. 2013, doi:10.1093/bioinformatics/btt473.

    Examples
    --------
    >>> target = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [8, 0, 0]]])
    >>> pred = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [9.5, 0, 0]]])
    >>> lddt(pred, target)  # one distance is kept, two are wrong by 1.5
    tensor([0.6667])
    """
    measure = LDDT(cutoff, thresholds, chunk=chunk)
    more = {} if residue is None else {"residue": residue}
    return told(*measure.measured(pred, target, mask, **more))


def lddt_per_residue(
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    *,
    residue: Tensor | None = None,
    residues: int | None = None,
    cutoff: float = CUTOFF,
    thresholds: Sequence[float] = THRESHOLDS,
    chunk: int | None = None,
) -> Tensor:
    """`lddt` of each residue: over the pairs of its points with those of others.

    Parameters
    ----------
    pred, target, mask, cutoff, thresholds, chunk
        As for `lddt`.
    residue : Tensor of integers from 0 to `residues` - 1, optional
        As for `lddt`.
    residues : int, optional
        How many there are, R. Needed with `residue`: to find it out, the host would have to wait
        for the device.

    Returns
    -------
    Tensor of shape (..., R), within [0, 1]; R is N without `residue`
        NaN for a residue without a pair, and in a whole sample with a coordinate that counts and
        is not finite.

    Raises
    ------
    TypeError, ValueError
        As for `lddt`, or one of `residue` and `residues` without the other.

    Examples
    --------
    >>> target = torch.tensor([[0.0, 0, 0], [4, 0, 0], [8, 0, 0]])
    >>> pred = torch.tensor([[0.0, 0, 0], [4, 0, 0], [9.5, 0, 0]])
    >>> lddt_per_residue(pred, target)
    tensor([0.7500, 0.7500, 0.5000])
    """
    if (residue is None) != (residues is None):
        raise ValueError("residue and residues belong together: give both or none")
    measure = LDDT(cutoff, thresholds, chunk=chunk)
    with torch.no_grad():
        given = points(pred, target, mask, 3)
        checked = flat(given, residue)
        kept, pairs = measure.rows(checked)
        if residues is not None:
            kept, pairs = (_by_residue(x, checked, residues) for x in (kept, pairs))
        value = kept / pairs.clamp(min=1)
        fine = given.finite.reshape(len(checked.keep), 1)
        found = told(value, (pairs > 0) & fine)
    return found.reshape(*given.keep.shape[:-1], found.shape[-1])


class LDDT(SampleMean):
    """Mean of `lddt` over samples; named ``lddt``.

    Parameters
    ----------
    cutoff, thresholds, chunk
        As for `lddt`. `update` takes ``residue=`` for all atoms.
    """

    name = "lddt"
    higher_is_better = True

    def __init__(
        self,
        cutoff: float = CUTOFF,
        thresholds: Sequence[float] = THRESHOLDS,
        *,
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.cutoff = number(cutoff, "cutoff", above=True)
        self.thresholds = tuple(
            number(t, f"thresholds[{at}]", above=True) for at, t in enumerate(thresholds)
        )
        if not self.thresholds:
            raise ValueError("thresholds must name at least one")
        self.chunk = None if chunk is None else whole(chunk, "chunk")

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Share of each sample, and whether it is defined."""
        with torch.no_grad():
            given = points(pred, target, mask, 3)
            kept, pairs = (x.sum(-1) for x in self.rows(flat(given, **{"residue": None, **more})))
            shape = given.keep.shape[:-1]
            value = (kept / pairs.clamp(min=1)).reshape(shape)
            # What is not finite has no pairs, but must be seen.
            finite = given.finite
            return told(value, finite), (pairs > 0).reshape(shape) | ~finite

    def settings(self) -> dict[str, Any]:
        """Cutoff and thresholds."""
        return {"cutoff": self.cutoff, "thresholds": list(self.thresholds)}

    def rows(self, given: Flat) -> tuple[Tensor, Tensor]:
        """Of each point: pairs that are kept, averaged over thresholds, and pairs; both (B, N)."""
        kept, pairs = [], []
        for rows in slices(given, self.chunk):
            difference, count = between(given, rows, self.cutoff)
            # A difference of infinity is kept at no threshold.
            difference.masked_fill_(~count, math.inf)
            within = [(difference <= t).sum(-1) for t in self.thresholds]
            kept.append(sum(within[1:], within[0]))
            pairs.append(count.sum(-1))
        many = len(self.thresholds)
        return torch.cat(kept, -1).to(given.pred.dtype) / many, torch.cat(pairs, -1)


def _by_residue(values: Tensor, given: Flat, residues: int) -> Tensor:
    """Sums of values of points over those of each residue."""
    into = values.new_zeros(values.shape[0], whole(residues, "residues"))
    return into.scatter_add(-1, given.residue.to(torch.int64), values)
