"""Values as a training has them, made plain: floats now, tensors of a device later."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

__all__ = ["number", "optional", "plain", "resolved", "whole"]

_FLOAT = frozenset({float})
_NAME = frozenset({str})
_FURTHEST = 2**63


def plain(given: Mapping[str, Any]) -> dict[str, float] | None:
    """A copy of values that are floats under names that are strings; None if any is not."""
    if {*map(type, given.values())} <= _FLOAT and {*map(type, given)} <= _NAME:
        return dict(given)
    return None


def resolved(
    given: Mapping[str, Any], refuse: Callable[[str, Exception], None]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Plain floats of values of any kind, and the tensors that lie on a device.

    Parameters
    ----------
    given : mapping
        Floats, integers, booleans, scalars of numpy, tensors and arrays of one element.
    refuse : callable
        Called with the name of each value that is none of these, and why.

    Returns
    -------
    values : dict of str to float
    later : dict of str to Tensor
        Not looked at: that would wait for the device.
    """
    values: dict[str, float] = {}
    later: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key)
        try:
            found = number(value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            refuse(name, error)
            continue
        if found is None:
            later[name] = value
        else:
            values[name] = found
    return values, later


def number(value: Any) -> float | None:
    """One value as a float; None for a tensor on a device.

    Raises
    ------
    TypeError, ValueError, OverflowError, RuntimeError
        It is no number, more than one, or cannot be read.
    """
    if isinstance(value, Real):
        return float(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _of_tensor(value)
    if not hasattr(value, "item"):
        raise TypeError(f"{type(value).__name__} is not a number")
    if getattr(value, "size", 0) != 1:
        raise ValueError(f"an array of shape {getattr(value, 'shape', '?')} is not one value")
    return _float(value.item())


def whole(step: Any) -> int:
    """A step as an integer that every format can hold.

    Raises
    ------
    TypeError, ValueError, OverflowError
        It is none, lies on a device, or beyond 64 bits.
    """
    device = getattr(step, "device", "cpu")
    if getattr(device, "type", device) != "cpu":
        raise TypeError("a step on a device is not read: that would wait for it; give an integer")
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    try:
        found = operator.index(step)
    except TypeError:
        raise TypeError(f"the step must be an integer, not {step!r}"[:200]) from None
    if not -_FURTHEST <= found < _FURTHEST:
        raise OverflowError("the step does not fit into 64 bits")
    return found


def _of_tensor(value: Any) -> float | None:
    if value.numel() != 1:
        raise ValueError(f"a tensor of shape {tuple(value.shape)} is not one value")
    if value.is_meta or value.is_complex():
        raise TypeError(f"a tensor of {value.dtype} on {value.device} is not a number")
    return _float(value.detach().item()) if value.device.type == "cpu" else None


def _float(item: Any) -> float:
    if not isinstance(item, Real):
        raise TypeError(f"{type(item).__name__} is not a number")
    return float(item)


def optional(value: Any) -> float | None:
    """An epoch or a progress: a finite float, or None where nothing was given.

    Raises
    ------
    TypeError, ValueError, OverflowError, RuntimeError
        As `number`; also for a tensor on a device, and what is not finite.
    """
    if value is None:
        return None
    found = number(value)
    if found is None:
        raise TypeError("a tensor on a device is not read: that would wait for it")
    if not math.isfinite(found):
        raise ValueError(f"{found} is not finite")
    return found
