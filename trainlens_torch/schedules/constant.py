"""No schedule: one factor throughout."""

from __future__ import annotations

import dataclasses

from trainlens_torch.schedules.base import Schedule

__all__ = ["Constant"]


@dataclasses.dataclass(frozen=True)
class Constant(Schedule):
    """One factor throughout.

    Torch's ``ConstantLR(factor=1/3, total_iters=5)`` is
    ``Chain((Constant(1 / 3), "5ba"), Constant())``; transformers' ``get_constant_schedule`` is
    ``Constant()``.

    Parameters
    ----------
    value : float
        The factor; `factor` in the header of a log.

    Examples
    --------
    >>> Constant(0.5)(0.3)
    0.5
    """

    kind = "constant"

    value: float = dataclasses.field(default=1.0, metadata={"key": "factor"})

    def factor(self, p: float) -> float:
        """``value``."""
        return self.value
