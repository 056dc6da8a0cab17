"""A learning rate that follows what the loss does: `AdaptiveLRManager`."""

from trainlens_torch.adaptive.decision import Change, Decision
from trainlens_torch.adaptive.manager import AdaptiveLRManager

__all__ = ["AdaptiveLRManager", "Change", "Decision"]
