"""Losses and regularisers whose weight follows progress and coverage."""

from trainlens_torch.losses.channel_weighted import ChannelWeightedLoss
from trainlens_torch.losses.clip_consistency import CLIPConsistencyLoss, ProgressPart
from trainlens_torch.losses.gate_diversity import AlphaDiversity
from trainlens_torch.losses.gradient_scale import gate_gradient, scale_gradient
from trainlens_torch.losses.normalized_features import NormalizedFeatures

__all__ = [
    "AlphaDiversity",
    "CLIPConsistencyLoss",
    "ChannelWeightedLoss",
    "NormalizedFeatures",
    "ProgressPart",
    "gate_gradient",
    "scale_gradient",
]
