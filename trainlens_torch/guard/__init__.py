"""Guards of a training: updates that do no harm, and a black box that tells what was first."""

from trainlens_torch.guard.box import BlackBox
from trainlens_torch.guard.update import Diverged, UpdateGuard

__all__ = ["BlackBox", "Diverged", "UpdateGuard"]
