"""A hand of 21 joints, posed by 20 joint angles and seen by one camera.

Millimetres and radians. The palm lies in the x-y plane, fingers along +y, the camera looks
along z. Sizes are those of an average adult hand.
"""

from __future__ import annotations

import torch
from torch import Tensor

JOINTS = 21
ANGLES = 20

# Thumb, index, middle, ring, little: where the finger leaves the palm, its bones, and the
# direction in the palm plane to which it points when spread by 0.
_BASE = torch.tensor([[-25.0, 30], [-24, 90], [-2, 95], [18, 88], [36, 78]])
_BONES = torch.tensor([[46.0, 34, 28], [42, 26, 20], [46, 30, 21], [42, 28, 21], [33, 20, 19]])
_DIRECTION = torch.tensor([-0.8, -0.08, 0.0, 0.08, 0.2])

# Spread, then flexion of the three joints of a finger: where poses lie.
_LOW = torch.tensor([-0.25, -0.2, 0.0, 0.0])
_HIGH = torch.tensor([0.25, 1.4, 1.7, 1.1])


def sample_angles(count: int, generator: torch.Generator) -> Tensor:
    """Random joint angles, shape (count, 5, 4): spread and three flexions of each finger."""
    share = torch.rand(count, 5, 4, generator=generator)
    # Fingers of a hand bend together: half of the bend is common to all.
    common = torch.rand(count, 1, 4, generator=generator)
    return _LOW + (_HIGH - _LOW) * (share + common) / 2


def forward_kinematics(angles: Tensor) -> Tensor:
    """Joint positions relative to the wrist, which is joint 0.

    Parameters
    ----------
    angles : tensor of shape (n, 5, 4)

    Returns
    -------
    tensor of shape (n, 21, 3), millimetres
    """
    heading = angles[..., 0] + _DIRECTION
    bend = angles[..., 1:].cumsum(-1)
    along = torch.stack([heading.sin(), heading.cos(), torch.zeros_like(heading)], -1)
    down = torch.tensor([0.0, 0.0, -1.0])
    bones = bend.cos()[..., None] * along[..., None, :] + bend.sin()[..., None] * down
    base = torch.cat([_BASE, torch.zeros(5, 1)], 1)[:, None].expand(len(angles), 5, 1, 3)
    chain = torch.cat([base, bones * _BONES[..., None]], 2).cumsum(2)
    wrist = torch.zeros(len(angles), 1, 3)
    return torch.cat([wrist, chain.flatten(1, 2)], 1)


def rotate(
    points: Tensor, generator: torch.Generator, spread: float = 0.5, alike: int = 1
) -> Tensor:
    """Turn hands by random rotation vectors.

    Parameters
    ----------
    points : tensor of shape (n, 21, 3)
    generator : torch.Generator
    spread : float
        Standard deviation of each part of a rotation vector, radians.
    alike : int
        Hands one after the other that are turned alike; `n` is a multiple of it.

    Returns
    -------
    tensor of shape (n, 21, 3)
    """
    turns = spread * torch.randn(3, len(points) // alike, generator=generator)
    x, y, z = turns.repeat_interleave(alike, 1).unbind()
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    turned: Tensor = points @ torch.linalg.matrix_exp(skew).transpose(1, 2)
    return turned
