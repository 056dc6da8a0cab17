"""`trainlens monitor` on logs that grow: processor time, memory, and how soon a NaN is told."""

from benchmarks.monitor.results import results

__all__ = ["results"]
