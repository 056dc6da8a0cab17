"""Exponential decay."""

from __future__ import annotations

from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule

__all__ = ["Exponential"]


@dataclass(frozen=True)
class Exponential(Schedule):
    """The same factor for every step: a straight line on a logarithmic scale.

    ``end^p``.

    Torch's ``ExponentialLR(gamma=g)`` in a training of n updates is ``Exponential(g**n)``. An
    `end` above 1 rises, as the range test of a learning rate does.

    Parameters
    ----------
    end : float
        Factor at the end, above 0: an exponential never reaches 0.

    References
    ----------
    Li and Arora 2019, arXiv:1910.07454.

    Examples
    --------
    >>> Exponential(0.01)(0.5), Exponential(100.0)(0.5)
    (0.1, 10.0)
    """

    kind = "exponential"

    end: float

    def _check(self) -> None:
        if self.end <= 0:
            self._refuse("end", "above 0, since an exponential never reaches 0")

    def factor(self, p: float) -> float:
        """``end^p``."""
        return float(self.end**p)
