"""Samples kept in memory, up to a bound, those used last."""

from __future__ import annotations

import copy
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from trainlens.errors import UsageError
from trainlens_torch.data.nested import leaves, mapped

__all__ = ["CacheStats", "CachedDataset"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SLOTS = 128
_OBJECT = 100
_HITS, _MISSES, _EVICTED, _TOO_LARGE, _BYTES, _ITEMS = range(6)
_SIMPLE = (int, float, complex, bool, str, bytes, type(None))


@dataclass(frozen=True)
class CacheStats:
    """What a cache did so far, over all processes.

    Parameters
    ----------
    hits, misses : int
        Samples that were there, and that were not.
    evicted, too_large : int
        Samples given up for others, and those larger than the whole cache.
    bytes, items : int
        What lies in it.
    """

    hits: int
    misses: int
    evicted: int
    too_large: int
    bytes: int
    items: int

    @property
    def hit_rate(self) -> float:
        """Share of the samples that were there; NaN before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else float("nan")

    def words(self) -> str:
        """All of it in one line."""
        rate = f"{100 * self.hit_rate:.0f} %" if self.hits + self.misses else "nothing"
        too = f", {self.too_large} too large" if self.too_large else ""
        return (
            f"{rate} of {self.hits + self.misses} samples from the cache; {self.items} held in "
            f"{self.bytes / 2**20:.1f} MiB, {self.evicted} evicted{too}"
        )


class CachedDataset(Dataset[Any]):
    """Keeps the samples of a data set that were used last, in so many bytes of memory.

    What comes out is a copy: to change it in place changes neither the cache nor other samples.
    With ``copies=False`` the cached sample itself comes out, and must not be changed.

    Worker processes of a loader have a cache each, with an equal part of the memory (what the
    process of the loop itself reads has as much again), and give it up with the pass unless the
    loader has ``persistent_workers=True``. As samples are shuffled,
    each worker gets others in each epoch: with `k` workers a cache that could hold all samples
    finds about one of `k` of them. For small samples no worker and a cache is often the fastest.

    What is random belongs into `transform`, behind the cache; random transforms of the data set
    itself would be drawn once and kept.

    Parameters
    ----------
    dataset : Dataset
    memory : int or str
        Bytes, or a text such as ``"2GiB"`` or ``"500MB"`` (both in powers of 1,024). Tensors,
        arrays and containers are measured, other objects as far as Python tells.
    transform : callable, optional
        Called with each sample that comes out.
    copies : bool
        Give copies.

    Raises
    ------
    UsageError
        An iterable data set, or a size that is none.

    Examples
    --------
    >>> cached = CachedDataset([torch.ones(4), torch.zeros(4)], memory="1KiB")
    >>> [cached[i].sum().item() for i in (0, 1, 0)], cached.stats().hits
    ([4.0, 0.0, 4.0], 1)
    """

    def __init__(
        self,
        dataset: Any,
        memory: int | str,
        *,
        transform: Callable[[Any], Any] | None = None,
        copies: bool = True,
    ) -> None:
        if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
            raise UsageError(
                f"a {type(dataset).__name__} has no samples with an index, so it cannot be cached"
            )
        self.dataset, self.transform, self.copies = dataset, transform, copies
        self.memory = _size(memory)
        # A row for this process and one for each worker, in memory that they share.
        counts: Any = torch.zeros(_SLOTS, 6, dtype=torch.int64)
        self._counts: Tensor = counts.share_memory_()
        self._fresh()

    def __getitem__(self, index: int) -> Any:
        sample = self._sample(index)
        return sample if self.transform is None else self.transform(sample)

    def __len__(self) -> int:
        return len(self.dataset)

    def stats(self) -> CacheStats:
        """Counts of this process and of its workers, also of those that have ended."""
        return CacheStats(*self._counts.sum(0).tolist())

    def clear(self) -> None:
        """Forget the samples of this process; the counts go on."""
        with self._here():
            self._held.clear()
            self._row()[_BYTES:] = 0

    def _sample(self, index: int) -> Any:
        with self._here():
            row = self._row()
            if index in self._held:
                self._held.move_to_end(index)
                row[_HITS] += 1
                found = self._held[index][0]
                return _copied(found) if self.copies else found
            row[_MISSES] += 1
        sample = self.dataset[index]
        size = _bytes(sample)
        with self._here():
            if index not in self._held:
                self._keep(index, sample, size)
        return sample

    def _keep(self, index: int, sample: Any, size: int) -> None:
        row, most = self._row(), self.memory // _processes()
        if size > most:
            row[_TOO_LARGE] += 1
            return
        self._held[index] = (_copied(sample) if self.copies else sample, size)
        row[_BYTES] += size
        while int(row[_BYTES]) > most:
            _, (_, freed) = self._held.popitem(last=False)
            row[_BYTES] -= freed
            row[_EVICTED] += 1
        row[_ITEMS] = len(self._held)

    def _row(self) -> Tensor:
        worker = get_worker_info()
        return self._counts[0 if worker is None else 1 + worker.id % (_SLOTS - 1)]

    def _here(self) -> threading.Lock:
        """The lock of this process; a process that was forked begins with an empty cache."""
        if self._process != os.getpid():
            self._fresh()
            self._row()[_BYTES:] = 0
        return self._lock

    def _fresh(self) -> None:
        self._held: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._lock, self._process = threading.Lock(), os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_held", "_lock", "_process")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._fresh()
        self._process = -1  # so that the first use counts what is held from nothing


def _processes() -> int:
    worker = get_worker_info()
    return 1 if worker is None else int(worker.num_workers)


def _size(given: int | str) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(given), re.IGNORECASE)
    if not isinstance(given, str) or match is None or not float(match[1]):
        raise UsageError(f'memory={given!r}: give bytes, or a text such as "2GiB" or "500MB"')
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _bytes(sample: Any) -> int:
    """Memory of a sample: that of its values, and some for each object."""
    return sum(map(_leaf_bytes, leaves(sample)), _OBJECT)


def _leaf_bytes(leaf: Any) -> int:
    if isinstance(leaf, Tensor):
        return _OBJECT + leaf.numel() * leaf.element_size()
    if isinstance(leaf, np.ndarray):
        return _OBJECT + leaf.nbytes
    if hasattr(leaf, "tobytes") and hasattr(leaf, "mode"):
        return _OBJECT + len(leaf.tobytes())
    return sys.getsizeof(leaf)


def _copied(sample: Any) -> Any:
    return mapped(sample, _leaf_copied)


def _leaf_copied(leaf: Any) -> Any:
    if isinstance(leaf, _SIMPLE):
        return leaf
    if isinstance(leaf, Tensor):
        return leaf.detach().clone().requires_grad_(leaf.requires_grad)
    return leaf.copy() if isinstance(leaf, np.ndarray) else copy.deepcopy(leaf)
