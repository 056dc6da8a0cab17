"""Parameter groups by component."""

from trainlens_torch.groups.build import FUSION_RATIOS, REST, parameter_groups
from trainlens_torch.groups.table import describe

__all__ = ["FUSION_RATIOS", "REST", "describe", "parameter_groups"]
