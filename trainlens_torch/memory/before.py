"""What an update changes before its optimizer step, so that it can be tried again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainlens_torch.randomness import RandomState, seed_all

__all__ = ["Attempts", "Buffers"]


class Buffers:
    """Copies of all buffers of a model, such as the running statistics of BatchNorm.

    Parameters
    ----------
    model : Module
        The copies lie where its buffers lie.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._places: list[tuple[nn.Module, str]] = []
        self._held: list[Tensor] = []
        self._copies: list[Tensor] = []

    @torch.no_grad()
    def take(self) -> None:
        """Copy all buffers, into the copies of last time where these fit."""
        found = [
            (module, name, buffer)
            for module in self._model.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]
        self._places = [(module, name) for module, name, _ in found]
        self._held = [buffer for _, _, buffer in found]
        if [_form(b) for b in self._held] != [_form(b) for b in self._copies]:
            self._copies = [buffer.detach().clone() for buffer in self._held]
        elif found:
            torch._foreach_copy_(self._copies, self._held)

    @torch.no_grad()
    def put_back(self) -> None:
        """All buffers as they were, bit for bit; a new tensor in its place gives way to the old."""
        rows = zip(self._places, self._held, self._copies, strict=True)
        for (module, name), buffer, copy in rows:
            # All of them: BatchNorm writes its statistics without a trace in `_version`. What is
            # the same memory several times over (an expanded mask) cannot have been written to.
            if 0 not in buffer.stride():
                buffer.copy_(copy)
            if getattr(module, name) is not buffer:
                setattr(module, name, buffer)


class Attempts:
    """Begins every attempt of one update at the same random numbers.

    Where they go on afterwards depends on where they were before alone: not on how the batch was
    cut, nor on how often it was tried. So the order of batches stays that of a training in which
    memory never ran out.
    """

    def __init__(self) -> None:
        self._first = RandomState.now()
        self._seed = int(torch.randint(2**63 - 1, ()))
        self._next = RandomState.now()

    def begin(self) -> None:
        """Random numbers of this update, whichever attempt it is."""
        seed_all(self._seed)

    def end(self) -> None:
        """Go on behind this update."""
        self._next.put_back()

    def undo(self) -> None:
        """As if this update had never begun."""
        self._first.put_back()


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return tensor.shape, tensor.dtype, tensor.device
