"""The global random numbers of torch (CPU), numpy and Python, exchanged for a while."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import get_worker_info

from trainlens_torch.randomness import RandomState

__all__ = ["Randomness", "derived", "elsewhere", "preserved", "seeded"]

_thread = threading.local()


def derived(seed: int, *about: int | str) -> int:
    """A number of 63 bits for one of the things that a seed stands for.

    Parameters
    ----------
    seed : int
    *about : int or str
        Such as the index of a sample.
    """
    text = "/".join(map(str, (seed, *about))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Global random numbers start at a seed; outside of loader processes they leave no trace.

    Parameters
    ----------
    seed : int

    Raises
    ------
    RuntimeError
        In a thread beside the training, whose random numbers these are too.
    """
    if get_worker_info() is not None:  # nobody else draws here, and numpy's states are slow
        _seed(seed)
        yield
        return
    _refuse_threads()
    with preserved():
        _seed(seed)
        yield


class Randomness:
    """Random numbers of one's own behind the global functions, which go on where they were.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state: RandomState | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Global random numbers come from here, and leave no trace.

        Raises
        ------
        RuntimeError
            In a thread beside the training, whose random numbers these are too.
        """
        _refuse_threads()
        with preserved():
            if self._state is None:
                _seed(self._seed)
            else:
                self._state.put_back()
            yield
            self._state = RandomState.now(devices=False)


@contextmanager
def preserved() -> Iterator[None]:
    """Whatever is drawn inside, the global random numbers go on as if it had not been."""
    before = RandomState.now(devices=False)
    try:
        yield
    finally:
        before.put_back()


@contextmanager
def elsewhere() -> Iterator[None]:
    """What runs inside shares its global random numbers with another thread."""
    before = getattr(_thread, "beside", False)
    _thread.beside = True
    try:
        yield
    finally:
        _thread.beside = before


def _refuse_threads() -> None:
    if getattr(_thread, "beside", False):
        raise RuntimeError(
            "seeding samples in a thread would disturb the random numbers of the training; "
            "behind a Prefetcher a seeded loader needs a process: workers=1 or more"
        )


def _seed(seed: int) -> None:
    # Not torch.manual_seed, which reaches the devices as well.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    random.seed(seed)
