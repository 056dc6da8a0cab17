"""An optimizer step that leaves no trace where a tensor on the device says so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, MutableMapping
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

__all__ = ["Way", "step_unless"]

Way: TypeAlias = Literal["auto", "branch", "found_inf", "restore"]

_CHUNK = 1 << 26  # elements that are put together at once: bounds what a restore takes on top


def step_unless(optimizer: torch.optim.Optimizer, bad: Tensor, way: Way = "auto") -> None:
    """Step an optimizer; where `bad` is true, parameters and state keep every bit.

    A gradient of zero would not do: moments, step counters and weight decay move all the same.

    Parameters
    ----------
    optimizer : Optimizer
    bad : Tensor of shape (), bool
        On the device of the parameters.
    way : {"auto", "branch", "found_inf", "restore"}
        ``"branch"`` reads `bad` and leaves the step out; ``"found_inf"`` lets the fused kernels of
        torch do so on the device; ``"restore"`` steps, and then puts back what was there. By
        default the first on a CPU, where reading waits for nothing, and else the second where the
        optimizer is fused, the third where it is not.

    Notes
    -----
    Where a step makes new state, as the first one does, or changes numbers that the optimizer
    keeps in Python or in the memory of the host, no tensor operation can take that back: `bad` is
    read, which waits for the device. The first happens once; about the second a warning says what
    to do.
    """
    if way == "auto":
        fused = bool(getattr(optimizer, "_step_supports_amp_scaling", False))
        way = "branch" if bad.device.type == "cpu" else "found_inf" if fused else "restore"
    if way == "branch":
        if not bool(bad):
            optimizer.step()
    elif way == "found_inf":
        _fused(optimizer, bad)
    else:
        _restored(optimizer, bad)


def _moving(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Parameters that a step changes."""
    return [p for g in optimizer.param_groups for p in g["params"] if p.grad is not None]


def _fused(optimizer: Any, bad: Tensor) -> None:
    without = [p for p in _moving(optimizer) if not optimizer.state.get(p)]
    optimizer.grad_scale, optimizer.found_inf = None, bad.to(torch.float32)
    try:
        optimizer.step()
    finally:
        del optimizer.grad_scale, optimizer.found_inf
    # What a fused kernel that was told to do nothing leaves in new state is anything: the
    # momentum of SGD is memory that nobody has written.
    made = [p for p in without if optimizer.state.get(p)]
    if made and bool(bad):
        for p in made:
            del optimizer.state[p]


def _restored(optimizer: torch.optim.Optimizer, bad: Tensor) -> None:
    kept = _Kept(optimizer)
    optimizer.step()
    if kept.on_device(bad):
        kept.restore(bad)
    elif bool(bad):
        kept.put_back()


class _Kept:
    """Parameters and state before a step: copies of tensors, and the containers around them."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._moving = _moving(optimizer)
        self._fresh = {p for p in self._moving if not optimizer.state.get(p)}
        self._tensors, self._plain = self._now()
        self._versions = [t._version for t in self._tensors]
        self._held = [_copied(one) for one in self._containers()]
        self._copies = [torch.cat([t.detach().reshape(-1) for t in c]) for c in self._chunks()]

    def on_device(self, bad: Tensor) -> bool:
        """Whether tensor operations on one device can take back all that the step did."""
        if any(self._optimizer.state.get(p) for p in self._fresh):
            return False
        tensors, plain = self._now()
        if plain != self._plain:
            _warn(self._optimizer, "numbers in Python")
            return False
        if bad.device.type != "cpu" and self._host_moved(tensors):
            _warn(self._optimizer, "state in the memory of the host")
            return False
        self._tensors = tensors  # a state may have been given new tensors
        return True

    @torch.no_grad()
    def restore(self, bad: Tensor) -> None:
        """Where `bad`, all as it was; else all as it is."""
        for chunk, kept in zip(self._chunks(), self._copies, strict=True):
            new = torch.cat([t.detach().reshape(-1) for t in chunk])
            self._write(chunk, torch.where(bad.to(new.device), kept, new))

    @torch.no_grad()
    def put_back(self) -> None:
        """All as it was, known on the host."""
        for chunk, kept in zip(self._chunks(), self._copies, strict=True):
            self._write(chunk, kept)
        for now, before in zip(self._containers(), self._held, strict=True):
            gone = [key for key in now if key not in before and key != "params"]
            for key in gone:
                del now[key]
            now.update(before)
        for p in self._fresh:
            self._optimizer.state.pop(p, None)

    def _host_moved(self, tensors: list[Tensor]) -> bool:
        """Whether the step wrote to tensors that a device could not put back."""
        before = zip(tensors, self._tensors, self._versions, strict=True)
        return any(
            t.device.type == "cpu" and (t is not old or t._version != version)
            for t, old, version in before
        )

    def _containers(self) -> list[MutableMapping[Any, Any]]:
        state = self._optimizer.state
        return [
            *self._optimizer.param_groups,
            *(state[p] for p in self._moving if p in state and p not in self._fresh),
        ]

    def _now(self) -> tuple[list[Tensor], list[Any]]:
        """Tensors that a step may change, and all else that there is, in one order."""
        tensors: list[Tensor] = list(self._moving)
        plain: list[Any] = []
        for one in self._containers():
            for kind, value in _leaves(one):
                if isinstance(value, Tensor):
                    tensors.append(value)
                    plain.append((kind, value.shape, value.dtype, value.device))
                else:
                    plain.append((kind, value))
        return tensors, plain

    def _chunks(self) -> list[list[Tensor]]:
        """The tensors by type and device, so many at once as may be put together."""
        found: dict[tuple[torch.device, torch.dtype], list[list[Tensor]]] = {}
        filled: dict[tuple[torch.device, torch.dtype], int] = {}
        for tensor in self._tensors:
            key = tensor.device, tensor.dtype
            filled[key] = filled.get(key, _CHUNK) + tensor.numel()
            if filled[key] > _CHUNK:
                found.setdefault(key, []).append([])
                filled[key] = tensor.numel()
            found[key][-1].append(tensor)
        return [chunk for chunks in found.values() for chunk in chunks]

    @staticmethod
    def _write(chunk: list[Tensor], flat: Tensor) -> None:
        parts = torch.split(flat, [t.numel() for t in chunk])
        live = [t.detach() for t in chunk]
        torch._foreach_copy_(live, [p.view(t.shape) for p, t in zip(parts, chunk, strict=True)])


def _leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """What lies in nested containers, with its place; parameters of a group are left out."""
    if isinstance(value, MutableMapping):
        for key, one in value.items():
            if not (key == "params" and not at):
                yield from _leaves(one, (*at, key))
    elif isinstance(value, list | tuple):
        for i, one in enumerate(value):
            yield from _leaves(one, (*at, i))
    else:
        yield at, value


def _copied(value: Any, top: bool = True) -> Any:
    """Containers copied, what lies in them as it is."""
    if isinstance(value, MutableMapping):
        return {k: _copied(v, False) for k, v in value.items() if not (top and k == "params")}
    if isinstance(value, list):
        return [_copied(one, False) for one in value]
    return value


def _warn(optimizer: torch.optim.Optimizer, what: str) -> None:
    name = type(optimizer).__name__
    warnings.warn(
        f"{name} keeps {what}, so the guard waits for the device at each update; "
        "make it with fused=True or capturable=True if it has these",
        RuntimeWarning,
        stacklevel=2,
    )
