"""The random numbers of a process: Python's, numpy's and torch's, taken and put back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainlens_torch.state import StateMismatch, packed, unpacked
from trainlens_torch.system import gpu

__all__ = ["RandomState", "seed_all"]

_VERSION = 1


@dataclass(frozen=True)
class RandomState:
    """State of the global generators of this process.

    Parameters
    ----------
    python : tuple
        Of the module `random`.
    numpy : tuple
        Of ``numpy.random``, the global one.
    cpu : Tensor
        Of torch.
    cuda : tuple of Tensor
        One for each CUDA device; empty where none is in use.
    """

    python: tuple[Any, ...]
    numpy: tuple[Any, ...]
    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @classmethod
    def now(cls, *, devices: bool = True) -> RandomState:
        """What they are at; nothing waits for a device.

        Parameters
        ----------
        devices : bool
            Whether to take the generators of CUDA devices as well.
        """
        cuda = tuple(torch.cuda.get_rng_state_all()) if devices and gpu.in_use() else ()
        legacy: Any = np.random.get_state()
        return cls(random.getstate(), legacy, torch.get_rng_state(), cuda)

    def put_back(self) -> None:
        """Have the generators go on from here."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        kind, words, place, has_gauss, gauss = self.numpy
        return packed(
            "RandomState", _VERSION, {},
            python=[self.python[0], list(self.python[1]), self.python[2]],
            numpy=[str(kind), words.tolist(), int(place), int(has_gauss), float(gauss)],
            cpu=self.cpu, cuda=list(self.cuda),
        )  # fmt: skip

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> RandomState:
        """The inverse of `state_dict`.

        Raises
        ------
        StateMismatch
            Another version, or states of other devices than this process has.
        """
        python, numpy, cpu, cuda = unpacked(
            state, "RandomState", _VERSION, {}, "python", "numpy", "cpu", "cuda"
        )
        here = torch.cuda.device_count() if gpu.in_use() else 0
        if cuda and here and len(cuda) != here:
            raise StateMismatch(f"random states of {len(cuda)} devices were saved, here are {here}")
        kind, words, *rest = numpy
        legacy = (kind, np.array(words, dtype=np.uint32), *rest)
        shuffled = (python[0], tuple(python[1]), python[2])
        return cls(shuffled, legacy, cpu, tuple(cuda) if here else ())


def seed_all(seed: int) -> None:
    """Seed all generators of `RandomState`.

    Parameters
    ----------
    seed : int in [0, 2**63)
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
