"""Components that are frozen for a part of the training."""

from trainlens_torch.freeze.progressive import ProgressiveFreezing

__all__ = ["ProgressiveFreezing"]
