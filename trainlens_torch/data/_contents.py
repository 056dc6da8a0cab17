"""What a sample holds, as bytes for a hash: the same in every process."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from trainlens_torch.data.nested import leaves

__all__ = ["Hash", "feed"]


class Hash(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


def feed(into: Hash, sample: Any) -> None:
    """Give the contents of a sample to a hash.

    Tensors and arrays count with type, shape and every value; pictures with mode, size and
    pixels; numbers and texts as they are; of other objects their attributes, else their type.

    Parameters
    ----------
    into : Hash
    sample : object
        In any nesting.
    """
    for leaf in leaves(sample):
        _feed(into, leaf, 0)


def _feed(into: Hash, leaf: Any, depth: int) -> None:
    if isinstance(leaf, Tensor):
        _tensor(into, leaf)
    elif isinstance(leaf, np.ndarray | np.generic):
        _array(into, np.asarray(leaf))
    elif leaf is None or isinstance(leaf, bool | int | float | complex | str):
        _told(into, type(leaf).__name__, repr(leaf).encode())
    elif isinstance(leaf, bytes | bytearray | memoryview):
        _told(into, "bytes", bytes(leaf))
    elif isinstance(leaf, PackedSequence):
        feed(into, tuple(leaf))
    elif hasattr(leaf, "tobytes") and hasattr(leaf, "mode"):
        _told(into, f"picture {leaf.mode} {leaf.size}", leaf.tobytes())
    else:
        _object(into, leaf, depth)


def _tensor(into: Hash, tensor: Tensor) -> None:
    held = tensor.detach().cpu()
    held = held if held.layout == torch.strided else held.to_dense()
    if held.is_quantized:
        held = held.int_repr()
    about = f"tensor {held.dtype} {tuple(held.shape)}"
    flat = held.contiguous().resolve_conj().resolve_neg().reshape(-1)
    _told(into, about, flat.view(torch.uint8).numpy().tobytes())


def _array(into: Hash, array: np.ndarray[Any, Any]) -> None:
    about = f"array {array.dtype.str} {array.shape}"
    if array.dtype.hasobject:
        _told(into, about, b"")
        feed(into, array.reshape(-1).tolist())
    else:
        _told(into, about, array.tobytes())


def _object(into: Hash, given: Any, depth: int) -> None:
    _told(into, f"object {type(given).__qualname__}", b"")
    if depth < 8:  # an object may hold itself
        for name, value in sorted(getattr(given, "__dict__", {}).items()):
            _told(into, name, b"")
            for leaf in leaves(value):
                _feed(into, leaf, depth + 1)


def _told(into: Hash, about: str, data: bytes) -> None:
    """Both with their lengths, so that two values in a row are not another two."""
    for one in (about.encode(), data):
        into.update(len(one).to_bytes(8, "big"))
        into.update(one)
