"""How predicted and true scores agree, under many weightings at once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["agreement"]

NAMES = ("mae", "bias", "spearman", "ece")


def agreement(confidence: Tensor, score: Tensor, weight: Tensor, bins: int) -> dict[str, Tensor]:
    """Measures of agreement of n pairs under R weightings.

    Parameters
    ----------
    confidence, score : Tensor of shape (n,), float64
    weight : Tensor of shape (R, n), float64
        How often each pair counts.
    bins : int
        Of equal mass, by confidence.

    Returns
    -------
    dict of str to Tensor of shape (R,)
        ``mae``, ``bias``, ``spearman``, ``ece``. NaN where nothing weighs, and a correlation
        where one side is constant.
    """
    off = confidence - score
    total = weight.sum(-1)
    return {
        "mae": (weight @ off.abs()) / total,
        "bias": (weight @ off) / total,
        "spearman": _correlation(_ranks(confidence, weight), _ranks(score, weight), weight),
        "ece": _calibration_error(confidence, off, weight, bins),
    }


def _ranks(values: Tensor, weight: Tensor) -> Tensor:
    """Mean ranks, equal values sharing theirs, as if each pair stood there `weight` times."""
    _, group = torch.unique(values, return_inverse=True)
    mass = _by_group(weight, group)
    return (mass.cumsum(-1) - mass / 2)[:, group]


def _correlation(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    total = weight.sum(-1, keepdim=True)
    a, b = (x - (weight * x).sum(-1, keepdim=True) / total for x in (a, b))
    both, one, other = ((weight * x).sum(-1) for x in (a * b, a * a, b * b))
    return both / (one * other).sqrt()


def _calibration_error(confidence: Tensor, off: Tensor, weight: Tensor, bins: int) -> Tensor:
    """Sum over bins of their share times the absolute mean of what confidence is off by.

    Equal confidences that a border of bins divides are divided as one mass, so that no order
    among them matters.
    """
    _, group = torch.unique(confidence, return_inverse=True)
    zero = weight.new_zeros(len(weight), 1)
    mass = torch.cat([zero, _by_group(weight, group).cumsum(-1)], -1)
    gap = torch.cat([zero, _by_group(weight * off, group).cumsum(-1)], -1)
    borders = mass[:, -1:] * torch.arange(bins + 1, dtype=mass.dtype) / bins
    return _interpolated(borders, mass, gap).diff(dim=-1).abs().sum(-1) / mass[:, -1]


def _interpolated(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Lines through the points (x, y), x rising, each row on its own."""
    right = torch.searchsorted(x, at.contiguous()).clamp(1, x.shape[-1] - 1)
    x0, x1, y0, y1 = (v.gather(-1, i) for v in (x, y) for i in (right - 1, right))
    part = torch.where(x1 > x0, (at - x0) / (x1 - x0), torch.ones_like(at))
    return y0 + part * (y1 - y0)


def _by_group(weight: Tensor, group: Tensor) -> Tensor:
    many = int(group.max()) + 1 if len(group) else 1
    into = weight.new_zeros(len(weight), many)
    return into.index_add(-1, group, weight)
