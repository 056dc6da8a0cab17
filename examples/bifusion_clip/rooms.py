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
_EACH, _HALF_ROOM, _FAR_AWAY, _HEIGHT = POINTS // OBJECTS, 4.0, 8.0, 5.0


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
    """Rooms with objects of random kinds at random places."""
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
    u = 2 * torch.rand(kind.shape, generator=generator) - 1
    v = 2 * torch.rand(kind.shape, generator=generator) - 1
    around, up = _around(turn), torch.tensor([0.0, 0.0, 1.0]).expand(*kind.shape, 3)
    zero, u_, v_ = torch.zeros_like(u), u.unsqueeze(-1), v.unsqueeze(-1)
    ball = (1 - u_.square()).sqrt() * around + u_ * up
    side = torch.stack([u.sign(), v, zero], -1)
    wall = torch.stack([u.sign(), zero, zero], -1)
    tube = v_.mul(math.pi)
    ring = tube.cos() * around + tube.sin() * up
    forms = (
        (ball, ball),
        (around + u_ * up, around),
        ((1 - u_) / 2 * around + u_ * up, normalize(2 * around + up, dim=-1)),
        (side + (turn / math.pi - 1).unsqueeze(-1) * up, wall),
        (u_.abs().sqrt() * around, up * v_.sign()),
        (0.7 * around + 0.3 * ring, ring),
    )
    listed = torch.stack([torch.cat(form, -1) for form in forms], -2)
    return listed.gather(-2, kind[..., None, None].expand(*kind.shape, 1, 6)).squeeze(-2)


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
        """Where points lie in the image, shape (..., 2), and how far away, shape (...)."""
        down = math.atan2(_HEIGHT, _FAR_AWAY)
        over = self.angle + self.turned
        stand = _FAR_AWAY * _around(torch.tensor(self.angle)) + torch.tensor([0.0, 0.0, _HEIGHT])
        level = -_around(torch.tensor(over))
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
    features = torch.randn(CLASSES + 1, PIXEL, generator=torch.Generator().manual_seed(7))
    return features[shown] + 0.5 * torch.randn(*shown.shape, PIXEL, generator=generator)
