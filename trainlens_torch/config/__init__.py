"""A training as one configuration: checked, told, saved, patched, and built from.

`TrainingConfig` holds the settings and makes the parts of a training out of them;
`apply_prescription` takes over what ``trainlens prescribe RUN -o patch.json`` asks for.
"""

from __future__ import annotations

from trainlens_torch.config.config import TrainingConfig
from trainlens_torch.config.prescription import Applied, Change, Left, apply_prescription
from trainlens_torch.config.presets import PRESETS, Preset
from trainlens_torch.config.reading import SECTIONS, SPECS

__all__ = [
    "PRESETS",
    "SECTIONS",
    "SPECS",
    "Applied",
    "Change",
    "Left",
    "Preset",
    "TrainingConfig",
    "apply_prescription",
]
