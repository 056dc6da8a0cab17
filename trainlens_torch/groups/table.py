"""Parameter groups as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["describe"]

_RATES = ("lr", "weight_decay")
_WIDEST = 80 - 49  # what the four columns of numbers leave


def describe(groups: Sequence[Mapping[str, Any]]) -> str:
    """A table of parameter groups, at most 80 columns wide.

    Parameters
    ----------
    groups : sequence of mapping
        From `parameter_groups`, or ``optimizer.param_groups``. Rates that are tensors are read
        from their device.

    Returns
    -------
    str
        Name, number of tensors and of parameters, learning rate and weight decay of each group.

    Examples
    --------
    >>> from torch import nn
    >>> from trainlens_torch.groups.build import parameter_groups
    >>> print(describe(parameter_groups(nn.Linear(3, 2), 1e-3, weight_decay=0.05)))
    group          tensors   parameters           lr  weight decay
    rest                 1            6        0.001          0.05
    rest/no-decay        1            2        0.001             0
    """
    rows = [_row(str(group.get("name", i)), group) for i, group in enumerate(groups)]
    head = ("group", "tensors", "parameters", "lr", "weight decay")
    width = min(max(len(row[0]) for row in [head, *rows]), _WIDEST)
    return "\n".join(
        f"{_shortened(row[0], width):<{width}} {row[1]:>8} {row[2]:>12} {row[3]:>12} {row[4]:>13}"
        for row in [head, *rows]
    )


def _row(name: str, group: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    count = sum(parameter.numel() for parameter in group["params"])
    lr, decay = (f"{float(group[key]):.6g}" if key in group else "-" for key in _RATES)
    return name, str(len(group["params"])), f"{count:,}", lr, decay


def _shortened(name: str, width: int) -> str:
    """A name with its middle left out where it is too long: both ends say most."""
    if len(name) <= width:
        return name
    tail = width // 2
    return f"{name[: width - tail - 3]}...{name[-tail:]}"
