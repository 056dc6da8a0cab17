"""Handwritten digits 0 to 5, seen by four sensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

CLASSES, FEATURES = 6, 16
SENSORS = ("video", "profile", "edges", "spectrum")
HELD_OUT = 3
"""Every third digit of a class is kept for validation."""


@dataclass(frozen=True)
class Readings:
    """What the sensors gave of some digits.

    Parameters
    ----------
    features : Tensor of shape (n, 64)
        16 numbers of each sensor, in the order of `SENSORS`, in units of its own.
    labels : Tensor of shape (n,)
        Classes 0 to 5.
    """

    features: Tensor
    labels: Tensor

    @property
    def dataset(self) -> TensorDataset:
        """Rows of features and label."""
        return TensorDataset(self.features, self.labels)

    @property
    def majority(self) -> float:
        """Share of the largest class."""
        return float(self.labels.bincount().max()) / len(self.labels)


def readings() -> tuple[Readings, Readings]:
    """Two thirds of each class for training, and one third for validation."""
    pixels, labels = digits()
    rank = nn.functional.one_hot(labels).cumsum(0).gather(1, labels[:, None])[:, 0]
    held = rank % HELD_OUT == 0
    features = sensed(pixels)
    return Readings(features[~held], labels[~held]), Readings(features[held], labels[held])


def digits() -> tuple[Tensor, Tensor]:
    """Images of shape (n, 8, 8), ink from 0 to 16, and their classes: scikit-learn's digits 0 to 5.

    The file is read as it is; importing scikit-learn takes longer than the training.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn: pip install scikit-learn")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32))
    table = table[table[:, -1] < CLASSES]
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].long()


def sensed(pixels: Tensor) -> Tensor:
    """What four sensors make of images.

    Parameters
    ----------
    pixels : Tensor of shape (n, 8, 8)

    Returns
    -------
    Tensor of shape (n, 64)
        A camera of 4 x 4 pixels; the ink of each row and column; the changes along each row and
        column; the 16 lowest coefficients of a cosine transform.
    """
    video = pixels.reshape(-1, 4, 2, 4, 2).mean((2, 4)).flatten(1)
    profile = torch.cat([pixels.sum(2), pixels.sum(1)], 1)
    edges = torch.cat([pixels.diff(dim=2).abs().sum(2), pixels.diff(dim=1).abs().sum(1)], 1)
    spectrum = (cosines() @ pixels @ cosines().T).flatten(1)
    return torch.cat([video, profile, edges, spectrum], 1)


def cosines() -> Tensor:
    """The four lowest orthonormal cosines (DCT-II) over eight places, shape (4, 8)."""
    order, place = torch.arange(4.0)[:, None], torch.arange(8.0)
    waves = torch.cos(math.pi * order * (place + 0.5) / 8) / 2
    return torch.where(order == 0, waves / math.sqrt(2), waves)
