"""The network, what of its output counts, and how far off its places are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from examples.decode_stagnation.frames import CHANNELS, PIXEL

WIDTH, DEPTH = 16, 4


def localizer(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Four convolutions, and a head that says the six numbers of `CHANNELS` for each pixel.

    The weights are drawn with a standard deviation of 0.01 whatever the size of their layer, as
    some early networks did: each layer then lets through about a tenth of what it is given.
    """
    model = nn.Sequential()
    for at, inside in enumerate((1, *[WIDTH] * (DEPTH - 1)), start=1):
        model.add_module(f"conv{at}", nn.Conv2d(inside, WIDTH, 3, padding=1))
        model.add_module(f"act{at}", activation())
    model.add_module("head", nn.Conv2d(WIDTH, len(CHANNELS), 1))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=0.01 if name.endswith("weight") else 0.0)
    return model


def counted(target: Tensor) -> Tensor:
    """Where a channel counts: photons and place only at a source, the others everywhere.

    Parameters
    ----------
    target : Tensor of shape (n, 6, height, width)

    Returns
    -------
    Tensor of bool, of the same shape
    """
    everywhere = torch.tensor([name in ("probability", "background") for name in CHANNELS])
    return (target[:, :1] > 0) | everywhere[:, None, None]


def squared_distance(output: Tensor, target: Tensor) -> Tensor:
    """Between each source and where the network has it, along x and y, in square nanometres.

    Parameters
    ----------
    output, target : Tensor of shape (n, 6, height, width)

    Returns
    -------
    Tensor of shape (sources,)
    """
    away = (output[:, 2:4] - target[:, 2:4]).square().sum(1) * (PIXEL / 2) ** 2
    return away[target[:, 0] > 0]
