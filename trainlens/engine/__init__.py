"""Where work runs: in this process, in a pool of them, or on a Dask cluster."""

from trainlens.engine._beside import Helper, helper
from trainlens.engine.base import Engine, Lost
from trainlens.engine.choose import chosen
from trainlens.engine.here import Here

__all__ = ["Engine", "Helper", "Here", "Lost", "chosen", "helper"]
