"""The parts of a checkpoint: their states, what they were made with, and how they are loaded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainlens.errors import UsageError
from trainlens_torch.loop.plain import plain
from trainlens_torch.state import StateMismatch

__all__ = ["check_part", "fingerprint", "load", "setting", "state", "try_out"]

_NO_SETTINGS = frozenset({"params", "foreach", "fused", "capturable", "differentiable"})


def check_part(name: str, part: Any) -> None:
    """Refuse what has no state.

    Raises
    ------
    UsageError
    """
    if isinstance(part, torch.Generator | np.random.Generator):
        return
    if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
        raise UsageError(
            f"{name!r} is a {type(part).__name__}, which has no state_dict() and "
            "load_state_dict(): leave it out, or give it these two"
        )


def state(name: str, part: Any) -> Any:
    """Plain state of a part."""
    if isinstance(part, torch.Generator):
        return part.get_state()
    if isinstance(part, np.random.Generator):
        return plain(_listed(part.bit_generator.state), name)
    return plain(_bare(part).state_dict(), name)


def load(name: str, part: Any, saved: Any) -> None:
    """Give a part a saved state."""
    if isinstance(part, torch.Generator):
        part.set_state(saved)
    elif isinstance(part, np.random.Generator):
        part.bit_generator.state = saved
    else:
        _bare(part).load_state_dict(saved)


def fingerprint(part: Any) -> dict[str, Any]:
    """What a part is made of, in plain JSON values: its kind, and of torch's own, their form.

    Other objects compare their configuration by themselves, see `trainlens_torch.state`.
    """
    part = _bare(part)
    kind = {"kind": type(part).__name__}
    if isinstance(part, nn.Module):
        tensors = {
            name: f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
            for name, value in part.state_dict().items()
            if isinstance(value, Tensor)
        }
        return {**kind, "tensors": tensors}
    if isinstance(part, torch.optim.Optimizer):
        return {**kind, "groups": [_group(group) for group in part.param_groups]}
    return kind


def try_out(parts: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Have all parts that judge a state by themselves take theirs; if one refuses, none keeps it.

    A part that refuses has to be as it was before, as those of this package are.

    Raises
    ------
    StateMismatch
        With the name of the part.
    """
    before: dict[str, Any] = {}
    for name, part in parts.items():
        if isinstance(_bare(part), nn.Module | torch.optim.Optimizer):
            continue  # their form was compared
        old = copy.deepcopy(state(name, part))
        try:
            load(name, part, saved[name])
            before[name] = old
        except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            for other, its_old in before.items():
                load(other, parts[other], its_old)
            raise StateMismatch(f"{name}: {error}") from error


def _bare(part: Any) -> Any:
    """A model without the wrappers that add a prefix to its names."""
    while True:
        if isinstance(part, nn.parallel.DistributedDataParallel | nn.DataParallel):
            part = part.module
        elif isinstance(part, nn.Module) and hasattr(part, "_orig_mod"):  # torch.compile
            part = part._orig_mod
        else:
            return part


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a parameter group; how it is computed is none."""
    settings = {name: setting(value) for name, value in group.items() if name not in _NO_SETTINGS}
    shapes = [list(p.shape) for p in group["params"]]
    return {**settings, "params": shapes}


def setting(value: Any) -> Any:
    """Plain JSON values of a setting; what has none becomes its text."""
    if isinstance(value, Mapping):
        return {str(name): setting(one) for name, one in value.items()}
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [setting(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _listed(value: Any) -> Any:
    """The state of a generator of numpy, whose arrays may be lists as well."""
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
