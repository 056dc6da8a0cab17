"""Rooms of six objects: what a laser measures of their points, and what a camera shows there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

__all__ = ["CLASSES", "GEOMETRY", "PIXEL", "POINTS", "Camera", "Room", "looks", "room"]

CLASSES = 6
"""Sphere, cylinder, cone, box, plate, ring."""
GEOMETRY, PIXEL = 6, 16
"""Features of a point, and of a pixel."""
OBJECTS, POINTS = 6, 24
"""Objects of a room, and points on all of them."""
_EACH = POINTS // OBJECTS
_HALF_ROOM = 4.0
"""Metres from the middle to a wall."""
_AWAY, _HEIGHT = 8.0, 5.0
"""Where cameras stand: metres from the middle, and above the floor."""
_LOOK = torch.randn(CLASSES + 1, PIXEL, generator=torch.Generator().manual_seed(7))
"""Features of pixels on each kind of object, and on the wall."""


@dataclass(frozen=True)
class Room:
    """Objects and points of some rooms.

    Parameters
    ----------
    kind : Tensor of int64, shape (rooms, OBJECTS)
    centre : Tensor of shape (rooms, OBJECTS, 3), metres
    size : Tensor of shape (rooms, OBJECTS), metres
        Half of the extent.
    geometry : Tensor of shape (rooms, POINTS, GEOMETRY)
        Of each point its place on the object, in units of `size`, and its normal; with noise.
    points : Tensor of shape (rooms, POINTS, 3), metres
    """

    kind: Tensor
    centre: Tensor
    size: Tensor
    geometry: Tensor
    points: Tensor

    @property
    def labels(self) -> Tensor:
        """Kind of object of each point, shape (rooms, POINTS)."""
        return self.kind.repeat_interleave(_EACH, 1)


def room(count: int, generator: Generator) -> Room:
    """Rooms with objects of random kinds at random places.

    Parameters
    ----------
    count : int
    generator : Generator
    """
    kind = torch.randint(CLASSES, (count, OBJECTS), generator=generator)
    size = 0.25 + 0.3 * torch.rand(count, OBJECTS, generator=generator)
    centre = _HALF_ROOM * (2 * torch.rand(count, OBJECTS, 3, generator=generator) - 1)
    centre[..., 2] = size
    surface = _surface(kind.unsqueeze(-1).expand(-1, -1, _EACH), generator)
    points = centre.unsqueeze(2) + size[..., None, None] * surface[..., :3]
    noise = 0.05 * torch.randn(surface.shape, generator=generator)
    return Room(kind, centre, size, (surface + noise).flatten(1, 2), points.flatten(1, 2))


def _surface(kind: Tensor, generator: Generator) -> Tensor:
    """Random points of objects within [-1, 1], and their normals; shape (..., 6)."""
    turn = 2 * math.pi * torch.rand(kind.shape, generator=generator)
    u, v = (2 * torch.rand((*kind.shape, 1), generator=generator) - 1 for _ in range(2))
    around, up = _around(turn), torch.tensor([0.0, 0.0, 1.0]).expand(*kind.shape, 3)
    zero, w = torch.zeros_like(u), turn.unsqueeze(-1) / math.pi - 1
    globe = (1 - u.square()).sqrt() * around + u * up
    tube = (math.pi * v).cos() * around + (math.pi * v).sin() * up
    forms = (  # a point and its normal, of each kind in the order of `CLASSES`
        (globe, globe),
        (around + u * up, around),
        ((1 - u) / 2 * around + u * up, normalize(2 * around + up, dim=-1)),
        (torch.cat([u.sign(), v, w], -1), torch.cat([u.sign(), zero, zero], -1)),
        (u.abs().sqrt() * around, v.sign() * up),
        (0.7 * around + 0.3 * tube, tube),
    )
    every = torch.stack([torch.cat(form, -1) for form in forms], -2)
    return every.gather(-2, kind[..., None, None].expand(*kind.shape, 1, 6)).squeeze(-2)


def _around(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], -1)


@dataclass(frozen=True)
class Camera:
    """A camera at the edge of the room, that looks at its middle.

    Parameters
    ----------
    angle : float, radians
        Where it stands.
    focal : float
        Of an image whose sides are at -1 and 1.
    turned : float, radians
        How far it looks past the middle.
    """

    angle: float
    focal: float
    turned: float = 0.0

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Where points of shape (..., 3) lie in the image, (..., 2), and how far away, (...).

        What is behind the camera is at infinity.
        """
        down = math.atan2(_HEIGHT, _AWAY)
        stand = _AWAY * _around(torch.tensor(self.angle)) + torch.tensor([0.0, 0.0, _HEIGHT])
        level = -_around(torch.tensor(self.angle + self.turned))
        ahead = math.cos(down) * level - torch.tensor([0.0, 0.0, math.sin(down)])
        right = torch.stack([level[1], -level[0], level[2]])
        seen = points - stand
        depth = seen @ ahead
        plane = torch.stack([seen @ right, seen @ torch.linalg.cross(right, ahead)], -1)
        at = self.focal * plane / depth.clamp(min=0.1).unsqueeze(-1)
        return torch.where((depth > 0.1).unsqueeze(-1), at, torch.inf), depth


def looks(camera: Camera, rooms: Room, at: Tensor, generator: Generator) -> Tensor:
    """Features of pixels: of the nearest object there, or of the wall; with noise.

    Parameters
    ----------
    camera : Camera
        Where it truly looks.
    rooms : Room
    at : Tensor of shape (rooms, POINTS, 2)
        The pixels.
    generator : Generator

    Returns
    -------
    Tensor of shape (rooms, POINTS, PIXEL)
    """
    middle, depth = camera.project(rooms.centre)
    radius = camera.focal * rooms.size / depth
    apart = torch.linalg.vector_norm(at.unsqueeze(2) - middle.unsqueeze(1), dim=-1)
    distance = torch.where(apart <= 1.1 * radius.unsqueeze(1), depth.unsqueeze(1), torch.inf)
    nearest, index = distance.min(-1)
    shown = torch.where(nearest.isinf(), CLASSES, rooms.kind.gather(1, index))
    return _LOOK[shown] + 0.5 * torch.randn(*shown.shape, PIXEL, generator=generator)
