"""Recordings of posed hands: what a detector sees of them, and where their joints are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from examples.handpose_dropout.kinematics import forward_kinematics, rotate, sample_angles

__all__ = ["MILLIMETRES", "Frames", "Poses", "Recordings", "Sizes", "record"]

MILLIMETRES = 100.0
"""Of the unit of the network, a decimetre: its numbers are then about 1."""


class Poses(NamedTuple):
    """Hands as the network sees them, and what it must say.

    Parameters
    ----------
    seen : Tensor of shape (..., 42)
        Keypoints in the picture, decimetres from the wrist.
    points : Tensor of shape (..., 63)
        Joints, decimetres from the wrist.
    angles : Tensor of shape (..., 20)
        Joint angles, radians.
    """

    seen: Tensor
    points: Tensor
    angles: Tensor


class Recordings(Dataset[Poses]):
    """Poses by their first dimension: each sample is a recording of some frames.

    Parameters
    ----------
    poses : Poses
    """

    def __init__(self, poses: Poses) -> None:
        self.poses = poses

    def __len__(self) -> int:
        return len(self.poses.seen)

    def __getitem__(self, index: int) -> Poses:
        return Poses(*(field[index] for field in self.poses))

    def frames(self) -> Frames:
        """Each frame by itself."""
        return Frames(Poses(*(field.flatten(0, 1) for field in self.poses)))


class Frames(Recordings):
    """Poses of which each is a sample."""

    def __getitems__(self, indices: Sequence[int]) -> Poses:
        """A whole batch at once, as it is to be: for a loader that does not collate."""
        chosen = torch.as_tensor(indices)
        return Poses(*(field[chosen] for field in self.poses))


@dataclass(frozen=True)
class Sizes:
    """How many recordings there are, and of how many frames.

    Parameters
    ----------
    train, validation, test, frames : int
    """

    train: int = 16
    validation: int = 60
    test: int = 60
    frames: int = 20


def record(count: int, frames: int, generator: torch.Generator) -> Recordings:
    """Recordings that differ from each other more than their frames do.

    Each has a hand of its own size, a view, a pose that its frames stay near, and a detector that
    is off by its own standard deviation: 2 mm as a rule, several times that where a hand is blurred
    or hidden.

    Parameters
    ----------
    count, frames : int
    generator : torch.Generator
    """

    def of_each(value: Tensor) -> Tensor:
        return value.repeat_interleave(frames, 0)

    near = of_each(sample_angles(count, generator))
    angles = near / 2 + sample_angles(count * frames, generator) / 2
    size = torch.exp(0.1 * torch.randn(count, 1, 1, generator=generator))
    points = forward_kinematics(angles) * of_each(size)
    points = rotate(points, generator, 0.4, alike=frames)
    points = rotate(points, generator, 0.15)
    error = 2.0 * torch.exp(0.6 * torch.randn(count, 1, 1, generator=generator))
    seen = points[..., :2]
    seen = seen + of_each(error) * torch.randn(seen.shape, generator=generator)
    fields = (seen.flatten(1) / MILLIMETRES, points.flatten(1) / MILLIMETRES, angles.flatten(1))
    return Recordings(Poses(*(field.reshape(count, frames, -1) for field in fields)))
