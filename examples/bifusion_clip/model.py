"""Two branches, a gate between them, and a decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from examples.bifusion_clip.data import Batch
from examples.bifusion_clip.rooms import CLASSES, GEOMETRY, PIXEL
from trainlens_torch import AlphaDiversity
from trainlens_torch.config import TrainingConfig

__all__ = ["BiFusion", "Fused"]

_WIDTH = 32


@dataclass(frozen=True)
class Fused:
    """What the model makes of a batch.

    Parameters
    ----------
    scores : Tensor of shape (scenes, points, CLASSES)
    features, clip_features : Tensor of shape (scenes, points, dim)
        After the fusion, and those of the image backbone.
    alpha : Tensor of shape (scenes, 1)
        Share of the image in the fusion.
    """

    scores: Tensor
    features: Tensor
    clip_features: Tensor
    alpha: Tensor


class BiFusion(nn.Module):
    """Features of pixels and of points, fused: ``alpha * pixel + (1 - alpha) * point``.

    Parameters
    ----------
    config : TrainingConfig
        Whose normalisation the branches have.
    diversity : AlphaDiversity
        Whose temperature the gate has.
    """

    def __init__(self, config: TrainingConfig, diversity: AlphaDiversity) -> None:
        super().__init__()
        self.clip_backbone = nn.Linear(PIXEL, _WIDTH, bias=False)
        nn.init.orthogonal_(self.clip_backbone.weight)  # it keeps distances, as if pretrained
        self.clip_heads = nn.Sequential(nn.Linear(_WIDTH, _WIDTH), config.norm_layer(_WIDTH))
        self.backbone3d = nn.Sequential(
            _mlp(config, GEOMETRY, _WIDTH),
            nn.ReLU(),
            _mlp(config, _WIDTH, _WIDTH),
            config.norm_layer(_WIDTH),
        )
        last = nn.Linear(_WIDTH, 1)
        nn.init.ones_(last.bias)  # it begins at 0.73, in favour of the pretrained side
        self.gate = nn.Sequential(nn.Linear(2 * _WIDTH + 1, _WIDTH), nn.ReLU(), last)
        self.decoder = _mlp(config, _WIDTH, CLASSES)
        self.shares = diversity.gate

    def forward(self, batch: Batch) -> Fused:
        """Scores, features and gate; a point without a pixel has no features of the image."""
        geometry, pixels, valid, _ = batch
        seen = valid.unsqueeze(-1).to(pixels.dtype)
        clip = self.clip_backbone(pixels)
        image, points = self.clip_heads(clip) * seen, self.backbone3d(geometry)
        scene = torch.cat([image.mean(1), points.mean(1), seen.mean(1)], -1)
        alpha = self.shares(self.gate(scene))
        share = alpha.unsqueeze(1)
        fused = share * image + (1 - share) * points
        return Fused(self.decoder(fused), fused, clip, alpha)


def _mlp(config: TrainingConfig, inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _WIDTH), config.norm_layer(_WIDTH), nn.ReLU(), nn.Linear(_WIDTH, outputs)
    )
