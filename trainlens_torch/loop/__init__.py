"""Around a training loop: when it ends, and how it goes on after an interruption."""

from trainlens_torch.loop.checkpoint import Checkpointer, Resumed
from trainlens_torch.loop.folder import DamagedCheckpoint
from trainlens_torch.loop.stopping import EarlyStopping

__all__ = ["Checkpointer", "DamagedCheckpoint", "EarlyStopping", "Resumed"]
