"""What a loss is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainlens_torch._tensors import shape, wide

__all__ = ["LossDecomposition", "decompose_loss"]


@dataclass(frozen=True)
class LossDecomposition:
    """A loss as the sum of its weighted components, and what that sum leaves out.

    All values are detached 0-dim tensors, on their device: nothing is read on the host.

    Parameters
    ----------
    total : Tensor
    components : dict of str to Tensor
        As they were given, without their weights.
    weights : dict of str to Tensor
    shares : dict of str to Tensor
        ``|weight * component|`` over the sum of those of all components: they sum to 1, also
        where components are negative. NaN where all are 0.
    residual : Tensor
        Total minus the sum of weight times component. Other than 0 (beyond rounding) where the
        total holds a term, a weight or a reduction that the components do not show.
    """

    total: Tensor
    components: dict[str, Tensor]
    weights: dict[str, Tensor]
    shares: dict[str, Tensor]
    residual: Tensor

    def losses(self) -> dict[str, Tensor]:
        """Total and components, for ``RunLogger.log(losses=...)``."""
        return {"total": self.total, **self.components}

    def stats(self) -> dict[str, Tensor]:
        """For ``RunLogger.log(stats=...)``.

        Returns
        -------
        dict of str to Tensor
            ``loss_weight/NAME``, ``loss_share/NAME``, ``loss_residual``.
        """
        return {
            **{f"loss_weight/{name}": value for name, value in self.weights.items()},
            **{f"loss_share/{name}": value for name, value in self.shares.items()},
            "loss_residual": self.residual,
        }

    def complaint(self, tolerance: float = 1e-4) -> str:
        """What is wrong with the sum, in one line; empty if it holds. Reads on the host.

        Parameters
        ----------
        tolerance : float
            Residual that counts as rounding, relative to the sum of the absolute terms.
        """
        size = sum(abs(float(self.weights[k]) * float(v)) for k, v in self.components.items())
        residual, total = float(self.residual), float(self.total)
        if abs(residual) <= tolerance * max(size, abs(total)):
            return ""
        return (
            f"the total {total:g} is not the weighted sum {total - residual:g} of its "
            f"components: {residual:+g} is left over; look for a term or weight that is missing"
        )


def decompose_loss(
    total: Tensor,
    components: Mapping[str, Tensor],
    weights: Mapping[str, float | Tensor] | None = None,
) -> LossDecomposition:
    """Split a loss into the components that it was made of.

    Parameters
    ----------
    total : Tensor of one element
        The loss that is minimised.
    components : mapping of str to Tensor of one element
        Without their weights. NaN and infinities stay and reach what they belong to.
    weights : mapping of str to float or Tensor of one element, optional
        1 for a component that it does not name.

    Returns
    -------
    LossDecomposition

    Raises
    ------
    TypeError, ValueError
        No component, one that is no single floating point number, or a weight without component.

    Examples
    --------
    >>> parts = {"fape": torch.tensor(2.0), "distogram": torch.tensor(4.0)}
    >>> found = decompose_loss(torch.tensor(3.2), parts, {"distogram": 0.3})
    >>> found.shares["distogram"], found.complaint()
    (tensor(0.3750), '')
    >>> print(decompose_loss(torch.tensor(4.2), parts, {"distogram": 0.3}).complaint()[:58])
    the total 4.2 is not the weighted sum 3.2 of its component
    """
    given = dict(weights or {})
    if not components:
        raise ValueError("components must name at least one")
    if unknown := [name for name in given if name not in components]:
        raise ValueError(
            f"there is a weight for {unknown[0]!r}, and no such component; there are "
            f"{', '.join(components)}"
        )
    whole = _scalar(total, "the total")
    parts = {name: _scalar(value, name) for name, value in components.items()}
    factors = {
        name: _weight(given.get(name, 1.0), f"the weight of {name}", value)
        for name, value in parts.items()
    }
    terms = {name: factors[name] * value for name, value in parts.items()}
    size = torch.stack([x.abs() for x in terms.values()]).sum()
    residual = whole - torch.stack(list(terms.values())).sum()
    shares = {name: term.abs() / size for name, term in terms.items()}
    return LossDecomposition(whole, parts, factors, shares, residual)


def _weight(given: float | Tensor, name: str, like: Tensor) -> Tensor:
    if isinstance(given, Tensor):
        return _scalar(given, name)
    return torch.full_like(like, given)


def _scalar(value: Tensor, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, not {value!r}")
    if value.numel() != 1:
        raise ValueError(f"{name} must be one number, not {shape(value)}")
    return wide(value.detach()).reshape(()).clone()
