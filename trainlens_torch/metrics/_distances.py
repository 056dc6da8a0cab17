"""Distances of all pairs of points, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainlens_torch._tensors import shape
from trainlens_torch.metrics._points import Points

__all__ = ["Flat", "between", "flat", "slices"]

CHUNK = 2**21
"""Pairs held at once."""


@dataclass(frozen=True)
class Flat:
    """Points with one batch axis.

    Parameters
    ----------
    pred, target : Tensor of shape (B, N, 3)
    keep : Tensor of bool of shape (B, N)
    residue : Tensor of integers of shape (B, N)
        Pairs within one are no pairs.
    """

    pred: Tensor
    target: Tensor
    keep: Tensor
    residue: Tensor


def flat(given: Points, residue: Tensor | None) -> Flat:
    """Points with their residues; without any, each point is one.

    Raises
    ------
    TypeError, ValueError
        Residues that are no integers, or of a shape that does not expand to that of the points.
    """
    n = given.keep.shape[-1]
    if residue is None:
        residue = torch.arange(n, device=given.keep.device)
    if residue.is_floating_point() or residue.is_complex() or residue.dtype == torch.bool:
        raise TypeError(f"residue must hold integers, not {residue.dtype}")
    try:
        own = residue.expand(given.keep.shape)
    except RuntimeError:
        raise ValueError(f"residue has {shape(residue)}, the points {shape(given.pred)}") from None
    many = given.keep.shape[:-1].numel()
    p, t = (x.reshape(many, n, 3) for x in (given.pred, given.target))
    return Flat(p, t, given.keep.reshape(many, n), own.reshape(many, n))


def slices(given: Flat, chunk: int | None) -> Iterator[slice]:
    """Rows to be taken at once."""
    batch, n = given.keep.shape
    step = max(1, CHUNK // max(1, batch * n)) if chunk is None else chunk
    return (slice(start, min(start + step, n)) for start in range(0, max(n, 1), step))


def between(given: Flat, rows: slice, cutoff: float | Tensor) -> tuple[Tensor, Tensor]:
    """Differences of distances of some rows to all points, and which are pairs that count.

    Parameters
    ----------
    given : Flat
    rows : slice
    cutoff : float, or Tensor of shape (B, N)
        Distances in the target below which a pair counts, by the point of the row.

    Returns
    -------
    difference : Tensor of shape (B, rows, N)
        Absolute, unit of the input.
    pairs : Tensor of bool of that shape
    """
    mode = "donot_use_mm_for_euclid_dist"  # products lose what nearby points differ in
    real, found = (
        torch.cdist(x[:, rows], x, compute_mode=mode) for x in (given.target, given.pred)
    )
    reach = cutoff[:, rows, None] if isinstance(cutoff, Tensor) else cutoff
    pairs = (given.residue[:, rows, None] != given.residue[:, None]) & (real < reach)
    pairs &= given.keep[:, rows, None] & given.keep[:, None]
    return (found - real).abs(), pairs
