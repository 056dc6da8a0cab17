"""Put scheduled dropout into a model that exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from trainlens_torch.dropout.attention import ScheduledAttention
from trainlens_torch.dropout.rates import checked_module, checked_rate, rate_attribute
from trainlens_torch.dropout.scheduled import SCHEDULED
from trainlens_torch.dropout.tensors import TensorRate

__all__ = ["Prepared", "prepare_dropout"]

_NEW: dict[type[nn.Module], type[TensorRate]] = {
    **SCHEDULED,
    nn.MultiheadAttention: ScheduledAttention,
}


@dataclass(frozen=True)
class Prepared:
    """What `prepare_dropout` found, by names of submodules; empty for the model itself.

    Parameters
    ----------
    scheduled : tuple of str
        Their rates are tensors now.
    plain : tuple of str
        Their rates stay plain numbers: recurrent layers, and subclasses of torch's layers. A graph
        with one of these compiles again for each new rate.
    """

    scheduled: tuple[str, ...]
    plain: tuple[str, ...]


def prepare_dropout(model: nn.Module, *, attention: bool = True) -> Prepared:
    """Make the dropout of a model such that its rate can change inside a compiled graph.

    Every `torch.nn.Dropout`, `Dropout1d` to `Dropout3d`, `AlphaDropout` and `FeatureAlphaDropout`
    becomes the layer of that name in `trainlens_torch.dropout`, every `MultiheadAttention` a
    `ScheduledAttention`. The modules stay the same objects with the same parameters, hooks, rates
    and ``state_dict`` keys. Preparing a model twice changes nothing.

    It is for rates that take many values (ramps). A rate that changes once, from 0 to 0.1, costs a
    plain model one compilation more.

    Parameters
    ----------
    model : torch.nn.Module
        On its device.
    attention : bool
        False leaves `MultiheadAttention` as it is: fused kernels, and a rate as a plain number.

    Returns
    -------
    Prepared

    Raises
    ------
    TypeError, ValueError
        No module, or a layer whose rate is none. Nothing was changed then.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.LSTM(4, 4, 2, dropout=0.1))
    >>> prepare_dropout(model)
    Prepared(scheduled=('1',), plain=('2',))
    """
    checked_module(model)
    scheduled: list[str] = []
    plain: list[str] = []
    swaps = []
    for name, layer in model.named_modules():
        attribute = rate_attribute(layer)
        if not attribute:
            continue
        new = _NEW.get(type(layer))
        if new is not None and (attention or new is not ScheduledAttention):
            rate = checked_rate(vars(layer)[attribute])
            swaps.append((layer, attribute, new, rate, _device(model, name)))
            scheduled.append(name)
        else:
            (scheduled if isinstance(layer, TensorRate) else plain).append(name)
    for layer, attribute, new, rate, device in swaps:
        del vars(layer)[attribute]
        layer.__class__ = new
        cast(TensorRate, layer).take_rate(rate, device)
    return Prepared(tuple(scheduled), tuple(plain))


def _device(model: nn.Module, name: str) -> torch.device | None:
    """Where the rate of a layer has to lie: with the closest parameters around it."""
    while True:
        around = model.get_submodule(name)
        tensor = next(around.parameters(), next(around.buffers(), None))
        if tensor is not None or not name:
            return None if tensor is None else tensor.device
        name = name.rpartition(".")[0]
