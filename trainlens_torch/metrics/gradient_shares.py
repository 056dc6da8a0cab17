"""What each component of a loss does to the parameters that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from trainlens_torch.gradients.norm import Parameters, joint, norms, tree

__all__ = ["GradientShares", "gradient_shares"]


@dataclass(frozen=True)
class GradientShares:
    """Gradients of the weighted components of a loss; 0-dim tensors on their device.

    Parameters
    ----------
    norms : dict of str to Tensor
        Of all parameters as one vector.
    shares : dict of str to Tensor
        Norm over the sum of the norms; NaN where all are 0.
    cosines : dict of (str, str) to Tensor
        Of the angle between two gradients: -1 where two components pull against each other. NaN
        where one of them is 0.
    """

    norms: dict[str, Tensor]
    shares: dict[str, Tensor]
    cosines: dict[tuple[str, str], Tensor]

    def stats(self) -> dict[str, Tensor]:
        """For ``RunLogger.log(stats=...)``.

        Returns
        -------
        dict of str to Tensor
            ``component_gradient/NAME``, ``gradient_share/NAME``, ``gradient_cosine/NAME/NAME``.
        """
        return {
            **{f"component_gradient/{name}": value for name, value in self.norms.items()},
            **{f"gradient_share/{name}": value for name, value in self.shares.items()},
            **{f"gradient_cosine/{a}/{b}": value for (a, b), value in self.cosines.items()},
        }


def gradient_shares(
    components: Mapping[str, Tensor],
    parameters: Parameters,
    weights: Mapping[str, float | Tensor] | None = None,
) -> GradientShares:
    """Norms of the gradients of each component, and the angles between them.

    Costs a backward pass a component and memory for their gradients: call it before the backward
    pass of the step, every hundred steps or so, and with the last layer that the components
    share rather than with the model. ``.grad`` stays as it is, and so does the graph.

    Parameters
    ----------
    components : mapping of str to Tensor of one element, with their graph
    parameters : Module, Tensor, iterable of Tensor, or parameter groups
        Those without ``requires_grad`` are left out. One that a component does not reach has a
        gradient of 0 there.
    weights : mapping of str to float or Tensor of one element, optional
        1 for a component that it does not name.

    Returns
    -------
    GradientShares

    Raises
    ------
    TypeError, ValueError
        No parameter that needs a gradient, no component, or a weight without component.

    References
    ----------
    Chen et al. 2018, arXiv:1711.02257 (norms by task); Yu et al. 2020, arXiv:2001.06782 (cosines).

    Examples
    --------
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> found = gradient_shares({"a": w[0], "b": -w[0] - w[1]}, w, {"a": 2.0})
    >>> found.norms["a"], found.cosines["a", "b"]
    (tensor(2.), tensor(-0.7071))
    """
    given = dict(weights or {})
    held = [p for _, group in tree(parameters) for p in group if p.requires_grad]
    if not held or not components:
        raise ValueError("there must be a component, and a parameter that needs a gradient")
    if unknown := [name for name in given if name not in components]:
        raise ValueError(f"there is a weight for {unknown[0]!r}, and no such component")
    grads = {
        name: _gradients(value * given.get(name, 1.0), held) for name, value in components.items()
    }
    size = {name: joint(norms(each)) for name, each in grads.items()}
    whole = torch.stack(list(size.values())).sum()
    shares = {name: norm / whole for name, norm in size.items()}
    cosines = {
        (a, b): _dot(grads[a], grads[b]) / (size[a] * size[b]) for a, b in combinations(grads, 2)
    }
    return GradientShares(size, shares, cosines)


def _gradients(loss: Tensor, held: list[Tensor]) -> list[Tensor]:
    """Gradients as they would be in a backward pass; zeros where nothing arrives."""
    if not loss.requires_grad:
        return [torch.zeros_like(p) for p in held]
    found = torch.autograd.grad(loss.sum(), held, retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(p) if g is None else g.detach() for p, g in zip(held, found, strict=True)
    ]


def _dot(a: list[Tensor], b: list[Tensor]) -> Tensor:
    parts = [(x.float() * y.float()).sum() for x, y in zip(a, b, strict=True)]
    return torch.stack([part.to(parts[0].device) for part in parts]).sum()
