"""The loaders of the story, for ``trainlens-torch check-sampler`` in the folder of its report."""

from __future__ import annotations

from typing import Any

from examples.quadmodal_flat_loss.data import readings
from examples.quadmodal_flat_loss.train import train_batches
from trainlens_torch.config import TrainingConfig


def baseline() -> Any:
    """The loader of the training as it was."""
    return _loader("baseline.toml")


def treated() -> Any:
    """The loader of the training as prescribed."""
    return _loader("treated.toml")


def _loader(path: str) -> Any:
    known, _ = readings()
    return train_batches(TrainingConfig.load(path), known), known.labels
