"""Chains of residues: a trace of C-alpha atoms built from bond and torsion angles.

Ångström and radians. Neighbouring C-alpha atoms of a protein lie 3.8 Å apart; a helix turns by 50°
a residue at bond angles of 91°, a strand zigzags at 124° (Levitt 1976,
doi:10.1016/0022-2836(76)90004-8), and a loop does what it likes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BOND = 3.8
KINDS = 9
"""Sorts of residues; a third of them prefers helices, a third strands, a third loops."""
FOLDS = 3

_BEND = torch.tensor([91.0, 124.0, 106.0]) * math.pi / 180
_TURN = torch.tensor([50.0, -170.0, 0.0]) * math.pi / 180
_SPREAD = torch.tensor([0.08, 0.15, 1.6])
_TRUE_TO_KIND = 0.7
_SEGMENT = 7.0


def sample_folds(count: int, length: int, generator: torch.Generator) -> Tensor:
    """Helix, strand or loop (0, 1, 2) of each residue, in segments; shape (count, length)."""
    fresh = torch.randint(FOLDS, (count, length), generator=generator)
    begins = torch.rand(count, length, generator=generator) < 1 / _SEGMENT
    begins[:, 0] = True
    # Each residue has the fold of the last one at which a segment began.
    since = torch.where(begins, torch.arange(length), 0).cummax(1).values
    return fresh.gather(1, since)


def sample_angles(folds: Tensor, generator: torch.Generator) -> Tensor:
    """Bond angle and torsion at each residue; shape (..., length, 2)."""
    noise = torch.randn(*folds.shape, 2, generator=generator) * _SPREAD[folds][..., None]
    noise[..., 0] *= 0.2
    return torch.stack([_BEND[folds], _TURN[folds]], -1) + noise


def sample_sequence(folds: Tensor, generator: torch.Generator) -> Tensor:
    """A residue of a kind that prefers the fold that it is in, in seven of ten cases."""
    own = folds + FOLDS * torch.randint(KINDS // FOLDS, folds.shape, generator=generator)
    other = torch.randint(KINDS, folds.shape, generator=generator)
    prefers = torch.rand(folds.shape, generator=generator) < _TRUE_TO_KIND
    return torch.where(prefers, own, other)


def trace(angles: Tensor) -> Tensor:
    """Positions of the C-alpha atoms, from bond angles and torsions.

    Parameters
    ----------
    angles : tensor of shape (..., length, 2)
        Bond angle at each residue, torsion about the bond that leads to it. Those of the first
        residue, and the torsion of the second, have no meaning.

    Returns
    -------
    tensor of shape (..., length, 3), in Å
        The first atom lies at 0.

    Examples
    --------
    >>> stretched = torch.tensor([math.pi, 0.0]).expand(4, 2)
    >>> trace(stretched)[:, 0]
    tensor([ 0.0000,  3.8000,  7.6000, 11.4000])
    """
    bend, turn = math.pi - angles[..., 0], angles[..., 1]
    steps = _turned(bend, turn).unbind(-3)
    frame = torch.eye(3).expand(*angles.shape[:-2], 3, 3)
    places = [torch.zeros(*angles.shape[:-2], 3), BOND * frame[..., 0]]
    for step in steps[1:-1]:
        frame = frame @ step
        places.append(places[-1] + BOND * frame[..., 0])
    return torch.stack(places, -2)


def _turned(bend: Tensor, turn: Tensor) -> Tensor:
    """Rotation about the bond by the torsion, then by the angle to the next bond."""
    c, s, u, v = bend.cos(), bend.sin(), turn.cos(), turn.sin()
    zero = torch.zeros_like(c)
    rows = [torch.stack(row, -1) for row in ((c, -s, zero), (u * s, u * c, -v), (v * s, v * c, u))]
    return torch.stack(rows, -2)
