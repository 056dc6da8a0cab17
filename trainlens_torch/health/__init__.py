"""A check-up of a model while it trains: loss, gradients, updates, activations, learning rate."""

from trainlens_torch.health.check import HealthCheck
from trainlens_torch.health.limits import Limits
from trainlens_torch.health.report import HealthReport

__all__ = ["HealthCheck", "HealthReport", "Limits"]
