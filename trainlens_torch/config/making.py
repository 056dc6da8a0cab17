"""What the methods that make the parts of a training have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

__all__ = ["Making"]


class Making:
    """A part of `TrainingConfig`, whose settings it reads."""

    @property
    def _own(self) -> TrainingConfig:
        return cast("TrainingConfig", self)
