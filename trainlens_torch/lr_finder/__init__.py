"""Which learning rate to begin with: a sweep that leaves no trace."""

from trainlens_torch.lr_finder.finder import find_lr
from trainlens_torch.lr_finder.sweep import LRFound, judge_sweep

__all__ = ["LRFound", "find_lr", "judge_sweep"]
