"""The task that the small trainings share: imitate a fixed random network."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

FEATURES = 32
HIDDEN = 64
CLASSES = 6


class Teacher:
    """Draws labelled points; a class is a random choice by the odds that a fixed network gives.

    Parameters
    ----------
    seed : int
        Of the network and of everything that is drawn.
    sharpness : float
        Factor on the network's outputs; the larger, the surer the labels.
    """

    def __init__(self, seed: int, sharpness: float = 3.0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.first = torch.randn(FEATURES, HIDDEN, generator=self.generator) / FEATURES**0.5
        self.second = (
            torch.randn(HIDDEN, CLASSES, generator=self.generator) * sharpness / HIDDEN**0.5
        )

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Points of shape (count, 32) and their classes, shape (count,)."""
        points = torch.randn(count, FEATURES, generator=self.generator)
        odds = ((points @ self.first).relu() @ self.second).softmax(1)
        return points, torch.multinomial(odds, 1, generator=self.generator)[:, 0]


def student(width: int, seed: int) -> nn.Sequential:
    """A network with one hidden layer, initialised by the seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, width), nn.LeakyReLU(0.1), nn.Linear(width, CLASSES))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def even_clock(interval: float = 0.05) -> Callable[[], float]:
    """A clock that advances by the same interval at each look.

    These trainings write the same bytes on every machine, so they cannot show the time of day.
    """
    return itertools.count(1_767_225_600.0, interval).__next__
