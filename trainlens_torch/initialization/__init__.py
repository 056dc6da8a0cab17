"""First values of the weights of a whole model."""

from trainlens_torch.initialization.model import (
    GAINS,
    SCHEMES,
    Initialization,
    Initialized,
    initialize,
)

__all__ = ["GAINS", "SCHEMES", "Initialization", "Initialized", "initialize"]
