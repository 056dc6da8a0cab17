"""States as files hold them: tensors and plain values, and nothing that could run."""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from torch import Tensor

from trainlens.errors import UsageError

__all__ = ["Written", "load", "plain", "save"]

_ATOMS = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size)
_BLOCK = 1 << 20


class Written(dict[str, Any]):
    """Size and checksum of a file: ``{"bytes": ..., "sha256": ...}``."""

    @classmethod
    def of(cls, path: Path) -> Written:
        """What a file holds now."""
        digest, count = hashlib.sha256(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                count += len(block)
        return cls(bytes=count, sha256=digest.hexdigest())


def plain(value: Any, at: str) -> Any:
    """A state as it can be loaded without running code; containers copied, tensors as they are.

    Parameters
    ----------
    value : object
    at : str
        Its place, for the message.

    Raises
    ------
    UsageError
        Anything but tensors, numbers, texts, and dicts, lists, tuples and sets of them.
    """
    kind = type(value)
    if kind in _ATOMS or (isinstance(value, Tensor) and kind in (Tensor, torch.nn.Parameter)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item(), at)
    if isinstance(value, dict):
        inner = {plain(k, f"a key of {at}"): plain(v, f"{at}[{k!r}]") for k, v in value.items()}
        return _ordered(value, inner) if kind is OrderedDict else inner
    if kind in (list, tuple, set):
        return kind([plain(one, f"{at}[{i}]") for i, one in enumerate(value)])
    remedy = "a state_dict() holds tensors, numbers, texts, and dicts and lists of them"
    raise UsageError(f"{at} is a {kind.__module__}.{kind.__qualname__}: {remedy}")


def save(value: Any, path: Path) -> Written:
    """Write a plain state to a file, and bring it to the disk.

    Raises
    ------
    OSError
    """
    with path.open("wb") as file:
        writer = _Hashing(file)
        try:
            torch.save(value, cast(IO[bytes], writer))
        except RuntimeError:
            # Torch tells that it could not write, but not why.
            if writer.error is not None:
                raise writer.error from None
            raise
        file.flush()
        os.fsync(file.fileno())
        return Written(bytes=writer.count, sha256=writer.digest.hexdigest())


def load(path: Path) -> Any:
    """Read a plain state into the memory of the host; nothing in it is run.

    Raises
    ------
    ValueError
        It holds something that would have to be run, or is no such file.
    """
    if not zipfile.is_zipfile(path):  # torch would take a lone pickle, the form of old versions
        raise ValueError(f"{path.name} holds more than tensors and plain values")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} holds more than tensors and plain values") from error


class _Hashing:
    """A file that knows the checksum of what went into it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.count = file, hashlib.sha256(), 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.count += len(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _ordered(value: Any, inner: dict[Any, Any]) -> OrderedDict[Any, Any]:
    """With what modules keep beside their entries: the versions of their parts."""
    made = OrderedDict(inner)
    metadata = getattr(value, "_metadata", None)
    if metadata is not None:
        made._metadata = plain(metadata, "the metadata of a module")  # type: ignore[attr-defined]
    return made
