"""Memory that runs out: updates that are repeated in smaller pieces, and the size of these."""

from trainlens_torch.memory.adaptive import AdaptiveBatch
from trainlens_torch.memory.free import Freed, free_memory
from trainlens_torch.memory.split import SplitOnOOM, Updated

__all__ = ["AdaptiveBatch", "Freed", "SplitOnOOM", "Updated", "free_memory"]
