"""A number that tells one batch from another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["fingerprint"]

_MOST = 65_536  # elements of a tensor that are looked at
_KEPT = (1 << 48) - 1  # bits that a float64 holds exactly
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@torch.no_grad()
def fingerprint(batch: Any) -> Tensor | None:
    """Fingerprint of the tensors of a batch, without a host sync.

    Sum of the bits of up to 65,536 evenly spaced elements, each times an odd number of its
    place, modulo 2^48: the same batch gives the same number on any device, another order, shape
    or value another one.

    Parameters
    ----------
    batch : Tensor, or nested mapping or sequence of them
        What is no tensor is left out.

    Returns
    -------
    Tensor of shape (), int64, on the device of the first tensor; None without any tensor
    """
    total: Tensor | None = None
    for i, tensor in enumerate(_tensors(batch)):
        one = _of(tensor) * (2 * i + 1)
        total = one if total is None else total + one.to(total.device, non_blocking=True)
    return None if total is None else total & _KEPT


def _of(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1)
    count = flat.numel()
    flat = flat[:: -(-count // _MOST)] if count > _MOST else flat
    if flat.is_complex():
        flat = torch.view_as_real(flat).reshape(-1)
    whole = _WHOLE[flat.element_size()]
    bits = flat.contiguous().view(whole).to(torch.int64)
    place = torch.arange(len(bits), device=bits.device, dtype=torch.int64)
    # Consecutive places must not be near each other in the sum, or neighbours could be swapped.
    weight = (place * 0x5851F42D4C957F2D + 0x14057B7EF767814F) | 1
    shape = sum((i + 1) * n for i, n in enumerate(tensor.shape)) * 0x9E3779B97F4A7C1 & _KEPT
    return (bits * weight).sum() + shape


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch.to_dense() if batch.layout != torch.strided else batch
    elif isinstance(batch, Mapping):
        for one in batch.values():
            yield from _tensors(one)
    elif isinstance(batch, list | tuple):
        for one in batch:
            yield from _tensors(one)
