"""Camera frames of a few light sources with their shot noise, and what is to be found in them.

A source is a spot about a pixel wide. Its widths along x and y tell its depth, as those behind an
astigmatic lens do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

SIZE, SOURCES = 12, 3
"""Pixels along an edge of a frame, and light sources in it."""
PIXEL = 100.0
"""Nanometres."""
CHANNELS = ("probability", "photons", "x", "y", "z", "background")

_PHOTONS, _GROUND, _READOUT = (500.0, 2500.0), (5.0, 15.0), 2.0
_WIDTH, _ASTIGMATISM = 0.95, 0.4


@dataclass(frozen=True)
class Scene:
    """Frames and what is in them.

    Parameters
    ----------
    image : Tensor of shape (n, 1, SIZE, SIZE)
        Hundreds of photons.
    target : Tensor of shape (n, 6, SIZE, SIZE)
        By `CHANNELS`: 1 where a source is; its photons as a share of the most that there are; its
        place from the middle of the pixel, in half pixels; its depth, -1 to 1; the background as a
        share of the highest. All but the first and the last are 0 where no source is.
    """

    image: Tensor
    target: Tensor


def draw(count: int, generator: torch.Generator) -> Scene:
    """So many frames; no source is nearer to the edge than a pixel."""

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    x, y = between(1.0, SIZE - 1.0, 2, count, SOURCES)
    z = between(-1.0, 1.0, count, SOURCES)
    photons = between(*_PHOTONS, count, SOURCES)
    ground = between(*_GROUND, count, 1, 1)
    along_x, along_y = spot(x, _WIDTH + _ASTIGMATISM * z), spot(y, _WIDTH - _ASTIGMATISM * z)
    light = torch.einsum("ns,nsy,nsx->nyx", photons, along_y, along_x) + ground
    noise = _READOUT * torch.randn(light.shape, generator=generator)
    image = torch.poisson(light, generator=generator) + noise
    column, row = x.long(), y.long()
    frame = torch.arange(count)[:, None].expand(count, SOURCES)
    within = 2 * (x - column) - 1, 2 * (y - row) - 1
    shown = (torch.ones_like(z), _scaled(photons, *_PHOTONS), *within, z)
    target = torch.zeros(count, len(CHANNELS), SIZE, SIZE)
    for channel, value in enumerate(shown):
        target[frame, channel, row, column] = value
    target[:, -1] = _scaled(ground, *_GROUND)
    return Scene(image[:, None] / 100, target)


def _scaled(value: Tensor, low: float, high: float) -> Tensor:
    return (2 * value - low - high) / (high - low)


def spot(centre: Tensor, width: Tensor) -> Tensor:
    """Share of the light of a Gaussian spot that falls on each pixel of a line.

    Parameters
    ----------
    centre, width : Tensor of shape (...)
        In pixels; pixel 0 reaches from 0 to 1.

    Returns
    -------
    Tensor of shape (..., SIZE)

    Examples
    --------
    >>> spot(torch.tensor(6.0), torch.tensor(0.1))[5:7]
    tensor([0.5000, 0.5000])
    """
    edges = torch.arange(SIZE + 1.0)
    below: Tensor = torch.special.ndtr((edges - centre[..., None]) / width[..., None])
    return below.diff()


class Frames(Dataset[tuple[Tensor, Tensor]]):
    """Frames that are drawn anew for each epoch, always the same ones for the same epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed
        self.renew(0)

    def renew(self, epoch: int) -> None:
        """Draw those of an epoch."""
        generator = torch.Generator().manual_seed(1_000_000 * self.seed + epoch)
        self.scene = draw(self.count, generator)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.scene.image[index], self.scene.target[index]
