"""Normalisation layers whose running statistics stand still."""

from __future__ import annotations

from torch import nn

__all__ = ["has_statistics", "hold", "release"]


class _Held:
    """Stands before the `train` of one module and keeps it in evaluation mode.

    `model.train()` asks every submodule for its `train`, and so finds this one. It remembers the
    mode that was asked for. A plain object with a reference to its module, so that a model that
    holds it can be copied and pickled.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.wanted = module.training

    def __call__(self, mode: bool = True) -> nn.Module:
        self.wanted = mode
        return type(self.module).train(self.module, False)


def has_statistics(module: nn.Module) -> bool:
    """Whether a module updates running statistics in training mode (batch normalisation).

    Asked by the buffer, not by the class: third-party layers have it as well.
    """
    return module._buffers.get("running_mean") is not None


def hold(module: nn.Module) -> None:
    """Keep a module in evaluation mode, whatever mode its model is put into."""
    if not isinstance(vars(module).get("train"), _Held):
        vars(module)["train"] = _Held(module)
    if module.training:
        type(module).train(module, False)


def release(module: nn.Module) -> None:
    """Give a held module the mode that it was asked to be in; nothing for any other."""
    held = vars(module).get("train")
    if isinstance(held, _Held):
        del vars(module)["train"]
        module.train(held.wanted)
