"""Everything that a short trial run changes, so that it can be put back bit for bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trainlens_torch.randomness import RandomState

__all__ = ["Kept"]

_FOLLOWED = (nn.Module, torch.optim.Optimizer)
_BOXES = (dict, list, set)


class Kept:
    """A copy of what objects hold, taken now; `restore` puts it back.

    Follows modules, optimizers, dicts, lists, tuples and sets to every tensor and generator in
    them. Tensors keep their identity: contents, gradient and ``requires_grad`` are put back into
    the same tensor, so that views, tied weights and captured graphs stay valid. Plain attributes
    (``training``, counters) and members that were added, removed or exchanged are put back, too.
    Other objects are kept by reference: what changes inside them is not seen. The random states of
    torch, of its CUDA devices, of numpy and of Python belong to it.

    Memory: one copy of all tensors, on their own device.

    Parameters
    ----------
    things : iterable
    """

    def __init__(self, things: Iterable[Any]) -> None:
        self._tensors: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._flags: dict[int, tuple[torch.Tensor, bool, torch.Tensor | None]] = {}
        self._boxes: dict[int, tuple[Any, Any]] = {}
        self._generators: dict[int, tuple[torch.Generator, torch.Tensor]] = {}
        self._random = RandomState.now()
        self._follow(list(things))

    def restore(self) -> None:
        """Put everything back. May be called again."""
        with torch.no_grad():
            for tensor, copy in self._tensors.values():
                _refill(tensor, copy)
        for tensor, requires_grad, grad in self._flags.values():
            tensor.requires_grad_(requires_grad)
            tensor.grad = grad
        for box, copy in self._boxes.values():
            _put_back(box, copy)
        for generator, state in self._generators.values():
            generator.set_state(state)
        self._random.put_back()

    def drop_gradients(self) -> None:
        """Take all gradients away, so that a trial run cannot add to those that are kept."""
        for tensor, _, _ in self._flags.values():
            tensor.grad = None

    def _follow(self, waiting: list[Any]) -> None:
        # A stack of its own: a model may be nested deeper than Python's.
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, torch.Tensor):
                self._keep_tensor(thing)
            elif isinstance(thing, torch.Generator):
                self._generators[id(thing)] = (thing, thing.get_state())
            elif isinstance(thing, tuple):
                waiting.extend(thing)
            elif isinstance(thing, _FOLLOWED):
                waiting.append(vars(thing))
            elif isinstance(thing, _BOXES) and id(thing) not in self._boxes:
                self._boxes[id(thing)] = (thing, _copied(thing))
                waiting.extend(thing)
                if isinstance(thing, dict):
                    waiting.extend(thing.values())

    def _keep_tensor(self, tensor: torch.Tensor) -> None:
        if id(tensor) in self._tensors:
            return
        self._tensors[id(tensor)] = (tensor, tensor.detach().clone())
        if tensor.is_leaf:
            self._flags[id(tensor)] = (tensor, tensor.requires_grad, tensor.grad)


def _copied(box: Any) -> Any:
    # Not the method: that of a subclass may do more.
    kind = next(kind for kind in _BOXES if isinstance(box, kind))
    return kind(box)


def _refill(tensor: torch.Tensor, copy: torch.Tensor) -> None:
    if tensor.shape != copy.shape:
        tensor.data = copy.clone()  # resized, or emptied by a wrapper
        return
    # An expanded tensor cannot be written, nor can it have been changed but through its base.
    if not any(s == 0 and n > 1 for s, n in zip(tensor.stride(), tensor.shape, strict=True)):
        tensor.copy_(copy)


def _put_back(box: Any, copy: Any) -> None:
    if isinstance(box, list):
        box[:] = copy
        return
    if isinstance(box, dict):
        if list(box) != list(copy):
            # Its order is part of it: that of parameters is the order of their gradients.
            box.clear()
        box.update(copy)
        return
    box.clear()
    box.update(copy)
