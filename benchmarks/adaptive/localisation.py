"""A small localisation network on drawn camera frames, and how it comes to stand still.

Each frame holds at most one light source, astigmatic in depth, on a noisy background. Six channels
are predicted: whether there is a source, its x, y and depth, the background, and its photons, the
last with half the weight. The weights begin small, as those of a network that is initialised
without regard to its width: near zero every layer waits for the others to grow, the loss is a
saddle of 4.25, and plain SGD leaves it in a time inversely proportional to the learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5)
SIZE = 9
FRAMES, BATCH = 128, 32


@dataclass(frozen=True)
class Frames:
    """Frames and what is to be found in them.

    Parameters
    ----------
    image : Tensor of shape (n, SIZE * SIZE)
    target : Tensor of shape (n, 6)
        Presence (0 or 1), x, y (pixels from the centre), depth, background, photons.
    """

    image: Tensor
    target: Tensor


def frames(seed: int, count: int = FRAMES) -> Frames:
    """Draw frames."""
    draw = torch.Generator().manual_seed(10_000 + seed)
    place = (torch.rand(count, 3, generator=draw) * 2 - 1) * 1.5
    photons = _standard(torch.rand(count, generator=draw))
    ground = _standard(torch.rand(count, generator=draw)) * 0.92
    there = (torch.arange(count) % 2).float()
    at = torch.arange(SIZE) - (SIZE - 1) / 2
    wide, narrow = 1.3 + 0.4 * place[:, 2], 1.3 - 0.4 * place[:, 2]
    across = torch.exp(-(((at - place[:, :1]) / wide[:, None]) ** 2) / 2)
    along = torch.exp(-(((at - place[:, 1:2]) / narrow[:, None]) ** 2) / 2)
    spot = along[:, :, None] * across[:, None, :] * (2 + 0.6 * photons)[:, None, None]
    image = spot * there[:, None, None] + (0.3 * ground)[:, None, None]
    image = image + 0.05 * torch.randn(image.shape, generator=draw)
    target = torch.stack([there, *place.T, ground, photons], dim=1)
    return Frames(image.flatten(1), target)


def network(seed: int, gain: float) -> nn.Sequential:
    """Three layers; `gain` scales their initial weights, of which 1 is Kaiming's."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inside, outside in ((SIZE * SIZE, 32), (32, 32), (32, 6)):
        layer = nn.Linear(inside, outside)
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layer.weight.mul_(gain)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def loss_of(output: Tensor, target: Tensor) -> Tensor:
    """Weighted sum over the channels: cross-entropy of the presence, squares of the others.

    Place, depth and photons count only where there is a source.
    """
    there = target[:, 0]
    found = nn.functional.binary_cross_entropy_with_logits(output[:, 0], there)
    square = (output[:, 1:] - target[:, 1:]) ** 2
    shown = torch.stack([there] * 3 + [torch.ones_like(there), there], dim=1)
    each = (square * shown).sum(0) / shown.sum(0).clamp_min(1.0)
    return WEIGHTS[0] * found + each @ torch.tensor(WEIGHTS[1:])


def _standard(value: Tensor) -> Tensor:
    return (value - value.mean()) / value.std()
