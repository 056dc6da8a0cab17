"""Four encoders, their features put together, and a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from examples.quadmodal_flat_loss.data import CLASSES, FEATURES, SENSORS
from trainlens_torch import NormalizedFeatures
from trainlens_torch.config import TrainingConfig

HIDDEN, ENCODED = 32, 16
TEMPERATURE = 0.1


class QuadModal(nn.Module):
    """Tells six classes apart by what four sensors see.

    With batch normalisation before the classifier the mean of the scores over a batch is the same
    for every batch. If a batch holds one class, nothing of the class is left in that mean, and by
    Jensen's inequality the loss, averaged over batches of each class, is ln 6 or more whatever the
    weights are: no learning rate helps. LayerNorm and a division by the length
    (`NormalizedFeatures`) look at each sample alone.

    Parameters
    ----------
    config : TrainingConfig
        Reads `model.norm` and `model.activation`.
    """

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        dim = ENCODED * len(SENSORS)
        self.encoders = nn.ModuleDict({sensor: _encoder(config) for sensor in SENSORS})
        self.normalize = _normalization(config, dim)
        self.classify = nn.Linear(dim, CLASSES)
        # The first answer is the same for all classes, a loss of ln 6: what is learned shows.
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Scores of the classes, shape (n, 6), of features of shape (n, 64)."""
        encoded = [self.encoders[name](part) for name, part in by_sensor(features).items()]
        scores: Tensor = self.classify(self.normalize(torch.cat(encoded, 1)))
        return scores


def by_sensor(features: Tensor) -> dict[str, Tensor]:
    """The part of each sensor, shape (n, 16)."""
    return dict(zip(SENSORS, torch.split(features, FEATURES, 1), strict=True))


def _encoder(config: TrainingConfig) -> nn.Module:
    # What is normalised afterwards needs no bias.
    return nn.Sequential(
        nn.Linear(FEATURES, HIDDEN, bias=False),
        config.norm_layer(HIDDEN),
        config.activation_layer(),
        nn.Linear(HIDDEN, ENCODED, bias=False),
    )


class OnSphere(NormalizedFeatures):
    """Normalised features divided by their temperature, for a linear classifier."""

    def forward(self, x: Tensor) -> Tensor:
        """Vectors of length 1 / temperature, shape (n, dim)."""
        return super().forward(x) / self.temperature


def _normalization(config: TrainingConfig, dim: int) -> nn.Module:
    """What brings the features of the sensors to one scale."""
    if config.model.norm == "layernorm":
        return OnSphere(dim, temperature=TEMPERATURE)
    return config.norm_layer(dim)
