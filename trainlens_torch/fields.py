"""Where scheduled values are written: fields of parameter groups, and anything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from trainlens_torch.schedules.base import Schedule

__all__ = ["Group", "Target", "Value", "field_of", "read_field", "write_field", "write_target"]

Group: TypeAlias = dict[str, Any]
"""A parameter group of an optimizer."""

Target: TypeAlias = "torch.Tensor | Callable[[float], object] | tuple[object, str]"
"""A tensor that is filled in place, a callable, or an object and the name of its attribute."""


@dataclass(frozen=True)
class Value:
    """A scheduled value that is no field of an optimizer: a loss weight, a temperature, a rate.

    Parameters
    ----------
    base : float
        Value at a factor of 1.
    schedule : Schedule
    into : Tensor, callable, or (object, attribute), optional
        Where each new value goes: a tensor is filled in place (compiled code and captured graphs
        see it without being made again), a callable is called with it, an attribute is set.
        Without it the value is only there to be read: ``scheduler.values["clip_weight"]``.

    Raises
    ------
    TypeError, ValueError
        A base that is no finite number, something that is no schedule, or an attribute that the
        object does not have.
    """

    base: float
    schedule: Schedule
    into: Target | None = None

    def __post_init__(self) -> None:
        if isinstance(self.base, bool) or not isinstance(self.base, int | float):
            raise TypeError(f"the base of a scheduled value must be a number, not {self.base!r}")
        if not math.isfinite(self.base):
            raise ValueError(f"the base of a scheduled value must be finite, not {self.base!r}")
        if not isinstance(self.schedule, Schedule):
            raise TypeError(f"a scheduled value needs a schedule, not {self.schedule!r}")
        if isinstance(self.into, tuple):
            owner, name = self.into
            if not hasattr(owner, name):
                raise ValueError(f"{type(owner).__name__} has no attribute {name!r} to write to")


def write_target(into: Target | None, value: float) -> None:
    """Put a value where it goes."""
    if into is None:
        return
    if isinstance(into, torch.Tensor):
        with torch.no_grad():
            into.fill_(value)
    elif isinstance(into, tuple):
        setattr(into[0], into[1], value)
    else:
        into(value)


def field_of(group: Group, name: str) -> str:
    """The key of a group that holds a field.

    ``momentum`` of the Adam family is ``betas``; ``weight_decay`` that `TensorDecay` has taken
    over is ``decay``.

    Raises
    ------
    ValueError
        The group has no such field.
    """
    if name == "weight_decay" and "decay" in group:
        return "decay"
    if name in group and name not in ("params", "betas"):
        return name
    if name == "momentum" and isinstance(group.get("betas"), tuple):
        return "betas"
    known = [key for key in group if isinstance(group[key], float | torch.Tensor)]
    if isinstance(group.get("betas"), tuple):
        known.append("momentum")
    raise ValueError(f"the optimizer has no field {name!r} to schedule; it has {', '.join(known)}")


def read_field(group: Group, key: str) -> float:
    """Present value of a field as a float; of ``betas`` the first. May wait for the device.

    Raises
    ------
    TypeError, ValueError
        It is no number, or not finite.
    """
    value = group[key][0] if key == "betas" else group[key]
    if isinstance(value, bool) or not isinstance(value, int | float | torch.Tensor):
        raise TypeError(f"{key} of a parameter group is no number: {value!r}")
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{key} of a parameter group is not finite: {value!r}")
    return found


def write_field(group: Group, key: str, value: float) -> None:
    """Set a field: a tensor is filled in place and stays a tensor, a number is replaced."""
    if key == "betas":
        first, *others = group["betas"]
        if isinstance(first, torch.Tensor):
            first.fill_(value)
        elif first != value:
            group["betas"] = (value, *others)
        return
    now = group[key]
    if isinstance(now, torch.Tensor):
        now.fill_(value)
    else:
        group[key] = value
