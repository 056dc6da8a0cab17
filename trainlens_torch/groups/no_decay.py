"""Which parameters have no weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from trainlens_torch.patterns import assigned

__all__ = ["without_decay"]

_NORMS: tuple[type[nn.Module], ...] = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def without_decay(
    model: nn.Module, things: Mapping[nn.Parameter, Sequence[str]], no_decay: Iterable[str]
) -> set[nn.Parameter]:
    """Parameters that weight decay would only harm: scales, offsets, and what is named.

    Parameters
    ----------
    model : torch.nn.Module
    things : mapping of Parameter to sequence of str
        Its parameters, and all names of each.
    no_decay : iterable of str
        Patterns of more of them.

    Returns
    -------
    set of Parameter
        Those of normalisation layers, biases, tensors of fewer than two dimensions, and those
        that a pattern names.

    Raises
    ------
    TypeError, ValueError
        Something that is no pattern, or one that matches nothing.
    """
    if isinstance(no_decay, str):
        raise TypeError(f"no_decay is a list of patterns, such as [{no_decay!r}]")
    norms = {
        parameter
        for module in model.modules()
        if isinstance(module, _NORMS)
        for parameter in module.parameters(recurse=False)
    }
    named: set[nn.Parameter] = set()
    for pattern in no_decay:
        # One at a time: patterns may overlap here, they all say the same.
        found = assigned(list(things.values()), [pattern])
        named |= {p for p, match in zip(things, found, strict=True) if match is not None}
    small = {p for p, names in things.items() if p.ndim < 2 or any(map(_is_bias, names))}
    return norms | named | small


def _is_bias(name: str) -> bool:
    """Whether a parameter is called a bias: ``bias``, ``bias_hh_l0``, ``in_proj_bias``."""
    return "bias" in name.rpartition(".")[2].split("_")
