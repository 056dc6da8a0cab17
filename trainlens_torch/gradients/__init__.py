"""Gradients: clipping without a host sync, accumulation with the right weights."""

from trainlens_torch.gradients.accumulation import Accumulation
from trainlens_torch.gradients.adaptive import AdaptiveClip
from trainlens_torch.gradients.clip import clip_gradients

__all__ = ["Accumulation", "AdaptiveClip", "clip_gradients"]
