"""Superpositions that bring as many points as possible within a distance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainlens_torch.metrics._points import Points
from trainlens_torch.metrics._rotation import rotation
from trainlens_torch.metrics.mpjpe import distances
from trainlens_torch.metrics.superposition import Superposition

__all__ = ["search", "share_within"]

SEEDS = ((1.0, 1), (0.5, 3), (0.25, 7), (0.125, 13), (0.0625, 17), (0.0, 33))
"""Segments that searches begin with: their length as a share of the chain, and how many of that
length, spread evenly. None is shorter than four points."""

TRIPLES = ((0.95, 5), (0.66, 9), (0.4, 17), (0.2, 17))
"""Three points at equal distances along such a share of the chain: few points, long levers."""

WIDER = (1.0, 1.2, 1.4, 1.7, 2.0)
"""Points within so many times the cutoff are fitted next: the fit of those within the cutoff alone
loses some that a fit of a few more keeps."""

ROUNDS = 5
_SHORTEST = 4
_SQUARINGS = 14  # within the search; what the motion found attains is measured in the end
_HELD = 2**23


def search(given: Points, cutoffs: Sequence[float]) -> tuple[Tensor, Superposition]:
    """For each cutoff the best motion that an iterated search finds, and what it attains.

    From each seed: fit it, take the points within a radius, fit those, and so on. What
    is found is measured after the motion that is given back, so it never lies above the maximum.

    Parameters
    ----------
    given : Points of shape (..., N, 3)
    cutoffs : sequence of K floats

    Returns
    -------
    shares : Tensor of shape (..., K)
        Points within the cutoff, as a share of those that count; 0 where none does.
    motions : Superposition
        Of shape (..., K).
    """
    batch, n = given.keep.shape[:-1], given.keep.shape[-1]
    pred, from_ = _centred(given.pred, given.keep)
    target, to = _centred(given.target, given.keep)
    many = batch.numel()
    own = Points(pred.reshape(many, n, 3), target.reshape(many, n, 3), given.keep.reshape(many, n))
    step = max(1, _HELD // max(1, n * sum(many for _, many in SEEDS + TRIPLES)))
    parts = [
        _best(_part(own, slice(at, at + step)), cutoffs)
        for at in range(0, max(1, len(own.keep)), step)
    ]
    found = (torch.cat(x) for x in zip(*parts, strict=True))
    turn, shift = (x.reshape(*batch, *x.shape[1:]) for x in found)
    one = torch.ones_like(shift[..., 0])
    moved = Superposition(turn, one, shift)(pred[..., None, :, :])
    shares = [
        share_within(Points(moved[..., k, :, :], target, given.keep), cutoff)
        for k, cutoff in enumerate(cutoffs)
    ]
    # Both means have an axis of 1 where the motions have their K.
    back = shift + to - (turn @ from_[..., None])[..., 0]
    return torch.stack(shares, -1), Superposition(turn, one, back)


def _part(own: Points, some: slice) -> Points:
    return Points(own.pred[some], own.target[some], own.keep[some])


def share_within(given: Points, cutoff: float) -> Tensor:
    """Points of a sample within a distance of their targets, as a share of those that count."""
    near = (distances(given.pred, given.target) <= cutoff) & given.keep
    return near.sum(-1).to(given.pred.dtype) / given.count.clamp(min=1)


def _centred(x: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Points about the mean of those that count, and that mean; of shape (..., 1, 3)."""
    mean = x.sum(-2, keepdim=True) / keep.sum(-1).clamp(min=1)[..., None, None]
    return torch.where(keep[..., None], x - mean, torch.zeros_like(x)), mean


def _best(own: Points, cutoffs: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Rotations (B, K, 3, 3) and translations (B, K, 3) that reach the most points."""
    pred, target, keep = own.pred, own.target, own.keep
    products = (target[..., :, None] * pred[..., None, :]).flatten(-2)
    features = torch.cat([torch.ones_like(pred[..., :1]), pred, target, products], -1)
    squares = (pred.square() + target.square()).sum(-1)
    # A point that does not count is never near.
    squares = squares.masked_fill(~keep, torch.inf)[:, None]
    first = _fit(_seeds(keep).to(pred.dtype), features)
    start = squares + _squared(*first, features)
    found = [_climbed(first, start, squares, features, cutoff) for cutoff in cutoffs]
    turn, shift = (torch.stack(x, 1) for x in zip(*found, strict=True))
    return turn, shift


def _climbed(
    first: tuple[Tensor, Tensor], start: Tensor, squares: Tensor, features: Tensor, cutoff: float
) -> tuple[Tensor, Tensor]:
    """The best motion of each sample at one cutoff."""
    most, best = _pick(first, start, cutoff)
    for wider in WIDER:
        distance = start
        for _ in range(ROUNDS):
            near = distance <= (wider * cutoff) ** 2
            motion = _fit(near.to(features.dtype), features)
            distance = squares + _squared(*motion, features)
            count, rival = _pick(motion, distance, cutoff)
            better = count > most
            most = torch.where(better, count, most)
            best = (
                torch.where(better[:, None, None], rival[0], best[0]),
                torch.where(better[:, None], rival[1], best[1]),
            )
    return best


def _pick(
    motions: tuple[Tensor, Tensor], distance: Tensor, cutoff: float
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Of the motions of each sample the one with most points near, and how many they are."""
    most, at = (distance <= cutoff**2).sum(-1).max(-1)
    turn, shift = motions
    return most, (
        turn.gather(1, at[:, None, None, None].expand(-1, 1, 3, 3))[:, 0],
        shift.gather(1, at[:, None, None].expand(-1, 1, 3))[:, 0],
    )


def _seeds(keep: Tensor) -> Tensor:
    """Segments and triples among the points that count; bool of shape (B, S, N).

    Their number does not depend on N, so points that are masked change nothing.
    """
    place = keep.cumsum(-1)[:, None] - 1
    count = keep.sum(-1)[:, None, None]
    seeds = []
    for share, many in SEEDS:
        length = (count * share).floor().clamp(min=_SHORTEST)
        after = place - _begins(count, length, many)
        seeds.append((after >= 0) & (after < length))
    for share, many in TRIPLES:
        gap = (count * share / 2).floor().clamp(min=1)
        after = place - _begins(count, 2 * gap + 1, many)
        seeds.append((after == 0) | (after == gap) | (after == 2 * gap))
    return torch.cat(seeds, 1) & keep[:, None]


def _begins(count: Tensor, length: Tensor, many: int) -> Tensor:
    """Where segments of a length begin, the last at the end of the chain; (B, many, 1)."""
    part = torch.linspace(0.0, 1.0, max(many, 2), device=count.device)[:many, None]
    return ((count - length).clamp(min=0) * part).round()


def _fit(weights: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Kabsch of each row of weights, from sums that one product of matrices gives."""
    sums = weights @ features
    n = sums[..., :1].clamp(min=1)
    x, y = sums[..., 1:4] / n, sums[..., 4:7] / n
    moment = sums[..., 7:] / n - (y[..., :, None] * x[..., None, :]).flatten(-2)
    turn = rotation(moment.reshape(*moment.shape[:-1], 3, 3), _SQUARINGS)
    return turn, y - (turn @ x[..., None])[..., 0]


def _squared(turn: Tensor, shift: Tensor, features: Tensor) -> Tensor:
    """Squared distances after each motion, without the squares that no motion changes."""
    turned = (shift[..., None, :] @ turn)[..., 0, :]
    size = shift.square().sum(-1, keepdim=True)
    factors = torch.cat([size, 2 * turned, -2 * shift, -2 * turn.flatten(-2)], -1)
    return factors @ features.mT
