"""What layers put out: dead units, saturation and spread, by hooks that are on only when asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from trainlens_torch.health.readings import Readings

__all__ = ["Activations"]

_CUT = (nn.ReLU, nn.ReLU6, nn.Threshold)
_BOUNDED = (nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardtanh)
_OTHERS = (
    nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.CELU, nn.SELU, nn.LeakyReLU, nn.PReLU, nn.RReLU,
    nn.Hardswish, nn.Softplus,
)  # fmt: skip
_FLAT = 0.05
"""A unit is saturated where its slope is below this share of its greatest."""
_INPUTS = 64
"""A unit is called dead after so many inputs: of a few, a healthy one may miss all."""


@dataclass
class _Seen:
    """What one layer has put out since it was last told of."""

    alive: Tensor | None = None
    inputs: int = 0
    saturated: list[Tensor] = field(default_factory=list)
    spread: list[Tensor] = field(default_factory=list)


class Activations:
    """Statistics of what the activation modules of a model put out.

    A module that is used several times in a forward pass counts as a layer each time:
    ``relu``, ``relu:2``. Without activation modules, the linear and convolutional layers are
    looked at. Activations that are called as functions are not seen.

    Parameters
    ----------
    model : Module
    most : int
        Layers that are looked at, spread over the depth of the model.
    """

    def __init__(self, model: nn.Module, most: int) -> None:
        self._root = model
        found = [x for x in _leaves(model) if isinstance(x[1], (*_CUT, *_BOUNDED, *_OTHERS))]
        if not found:
            found = [x for x in _leaves(model) if isinstance(x[1], (nn.Linear, _CONV))]
        self._layers = spread_out(found, most)
        self._handles: list[RemovableHandle] = []
        self._calls: Counter[str] = Counter()
        self._seen: dict[str, _Seen] = {}

    def arm(self) -> None:
        """Look at the forward passes from now on."""
        self.disarm()
        self._calls.clear()
        self._handles = [self._root.register_forward_pre_hook(self._begin)]
        for name, module, unit in self._layers:
            hook = partial(self._look, name, unit)
            self._handles.append(module.register_forward_hook(hook))

    def disarm(self) -> None:
        """Take the hooks away. Repeating it does nothing."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def forget(self) -> None:
        """Drop what was seen: the step has failed."""
        self._seen.clear()

    def into(self, readings: Readings) -> None:
        """Note what was seen. Dead units are told once enough inputs have passed."""
        for name, seen in self._seen.items():
            if seen.alive is not None and seen.inputs >= _INPUTS:
                readings.add(f"zero_fraction/{name}", 1.0 - seen.alive.float().mean())
                seen.alive, seen.inputs = None, 0
            if seen.saturated:
                readings.add(f"saturated_fraction/{name}", torch.stack(seen.saturated).mean())
            if seen.spread:
                readings.add(f"activation_std/{name}", torch.stack(seen.spread).mean())
            seen.saturated, seen.spread = [], []

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._calls.clear()

    def _look(self, name: str, unit: int | None, module: nn.Module, args: Any, out: Any) -> None:
        if torch.compiler.is_compiling() or not _plain(out):
            return
        self._calls[name] += 1
        calls = self._calls[name]
        seen = self._seen.setdefault(name if calls == 1 else f"{name}:{calls}", _Seen())
        with torch.no_grad():
            value = out.detach()
            seen.spread.append(value.float().std(correction=0))
            if isinstance(module, _CUT):
                _note_alive(seen, value, unit)
            elif isinstance(module, _BOUNDED):
                seen.saturated.append(_saturated(module, value.float()))


def spread_out(some: list[Any], most: int) -> list[Any]:
    """At most so many of a list, evenly spaced, the first and the last among them."""
    if len(some) <= most:
        return some
    if most == 1:
        return some[:1]
    return [some[round(i * (len(some) - 1) / (most - 1))] for i in range(most)]


_CONV = nn.modules.conv._ConvNd


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module, int | None]]:
    """Modules without children by name, with the dimension of their units where it is known."""
    found: list[tuple[str, nn.Module, int | None]] = []
    unit: int | None = None
    for name, module in model.named_modules():
        if next(module.children(), None) is not None:
            continue
        # An activation follows the layer that is registered before it.
        if isinstance(module, (_CONV, nn.modules.batchnorm._NormBase, nn.GroupNorm)):
            unit = 1
        elif isinstance(module, (nn.Linear, nn.LayerNorm)):
            unit = -1
        found.append((name or type(module).__name__, module, unit))
    return found


def _plain(out: Any) -> bool:
    # Subclasses (sharded, nested, fake) may not have the operations.
    return (
        type(out) is Tensor
        and out.is_floating_point()
        and out.layout is torch.strided
        and out.numel() > 0
    )


def _note_alive(seen: _Seen, value: Tensor, unit: int | None) -> None:
    if value.dim() < 2:
        return
    at = unit if unit is not None else 1 if value.dim() >= 4 else -1
    if value.dim() == 2:
        at = -1
    at %= value.dim()
    alive = (value != 0).movedim(at, 0).flatten(1).any(1)
    if seen.alive is not None and seen.alive.shape == alive.shape:
        seen.alive |= alive
    else:
        seen.alive, seen.inputs = alive, 0
    seen.inputs += value.numel() // value.shape[at]


def _saturated(module: nn.Module, value: Tensor) -> Tensor:
    """Share of values at which the slope of an activation is nearly 0."""
    if isinstance(module, nn.Tanh):
        flat = 1.0 - value * value < _FLAT
    elif isinstance(module, nn.Sigmoid):
        flat = value * (1.0 - value) < 0.25 * _FLAT
    else:
        low, high = getattr(module, "min_val", 0.0), getattr(module, "max_val", 1.0)
        flat = (value <= low) | (value >= high)
    return flat.float().mean()
