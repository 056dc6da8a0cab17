"""The machine while it trains: memory, utilisation, times, and what to do about them."""

from trainlens_torch.system.monitor import SystemMonitor
from trainlens_torch.system.oom import is_out_of_memory

__all__ = ["SystemMonitor", "is_out_of_memory"]
