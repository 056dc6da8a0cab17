"""Loaders that give the same batches in every run, process, number of workers and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.data._order import shuffled
from trainlens_torch.data._randomness import derived, seeded
from trainlens_torch.data._stream import SeededStream
from trainlens_torch.data.layout import layout

__all__ = ["FixedBatches", "SeededDataset", "seeded_loader"]

_ITERABLE_WORKERS = 1


def seeded_loader(
    dataset: Any,
    *,
    seed: int,
    batch_size: int,
    shuffle: bool = True,
    subset: int | Sequence[int] | None = None,
    workers: int = 0,
    rank: int | None = None,
    world_size: int | None = None,
    drop_last: bool = False,
    **options: Any,
) -> DataLoader[Any]:
    """A loader for validation: the same data, in the same order, with the same augmentations.

    Every pass gives the same batches, in every run, on every machine, for every number of workers.
    Of several ranks, rank `r` of `w` gives the batches r, r + w, r + 2 w, ... of that one order,
    so that all ranks together see what one process sees; some may have one batch less than others
    (evaluate the module itself, not its DistributedDataParallel wrapper, which waits for all).

    The random functions of torch (on the CPU), numpy and Python that a data set or its transforms
    call give values that depend on `seed` and the index of the sample. The global generators are
    left as they were, so that a validation changes nothing in the training. Generators that a data
    set made for itself are its own matter, but for the stages of a WebDataset, which get seeds.

    An iterable data set is one stream, and its order is its own: it is read by one worker at most,
    each rank reads all of it and keeps its batches, and `subset` is a number of elements.

    Parameters
    ----------
    dataset : Dataset or IterableDataset
    seed : int
        Not negative.
    batch_size : int
    shuffle : bool
        Take the samples in an order of this seed; else in that of the data set.
    subset : int or sequence of int, optional
        Take so many of the samples, chosen by the seed, or these.
    workers : int
        Processes that load.
    rank, world_size : int, optional
        By default those of the process group or of ``torchrun``. ``rank=0, world_size=1`` where
        somebody else deals batches out to ranks, as accelerate does.
    drop_last : bool
        Leave out a batch that is not full.
    **options
        Of `torch.utils.data.DataLoader`, such as `collate_fn`, `pin_memory`,
        `persistent_workers`.

    Returns
    -------
    DataLoader

    Raises
    ------
    UsageError
        No samples, a subset that the data set does not have, an option that would undo this.
    TypeError, ValueError
        A batch size below 1, a negative seed.

    See Also
    --------
    fingerprint : what to write into the head of the log.

    Examples
    --------
    >>> loader = seeded_loader(range(6), seed=1, batch_size=2)
    >>> first, second = [b.tolist() for b in loader], [b.tolist() for b in loader]
    >>> first == second and sorted(sum(first, []))
    [0, 1, 2, 3, 4, 5]
    """
    if undone := sorted({"sampler", "batch_sampler", "generator", "num_workers"} & options.keys()):
        raise UsageError(
            f"seeded_loader has no option {undone[0]!r}: the order comes from `seed`, `shuffle` "
            "and `subset`, processes from `workers`"
        )
    size, given = whole(batch_size, "batch_size"), whole(seed, "seed", 0)
    at, world = layout(rank, world_size)
    # A loader draws from its generator at every pass; by default that is the global one.
    more = {"generator": torch.Generator().manual_seed(given), **options}
    if isinstance(dataset, IterableDataset):
        stream = SeededStream(dataset, given, size, at, world, _limit(subset))
        use = min(whole(workers, "workers", 0), _ITERABLE_WORKERS)
        return DataLoader(stream, batch_size=size, num_workers=use, drop_last=drop_last, **more)
    indices = _indices(_length(dataset), given, shuffle, subset)
    batches = FixedBatches(indices, size, at, world, drop_last)
    return DataLoader(
        SeededDataset(dataset, given),
        batch_sampler=batches,
        num_workers=whole(workers, "workers", 0),
        **more,
    )


class SeededDataset(Dataset[Any]):
    """Samples whose random transforms depend on a seed and their index alone.

    Parameters
    ----------
    dataset : Dataset
    seed : int
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, index: int) -> Any:
        with seeded(derived(self.seed, index)):
            return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)


class FixedBatches(Sampler[list[int]]):
    """The batches of one rank, the same in every pass.

    Parameters
    ----------
    indices : ndarray of shape (samples,)
        Of all ranks, in order.
    batch_size, rank, world : int
    drop_last : bool
        Leave out the last batch where it is not full.
    """

    def __init__(
        self, indices: NDArray[np.int64], batch_size: int, rank: int, world: int, drop_last: bool
    ) -> None:
        self.indices, self.batch_size = indices, batch_size
        self.rank, self.world = rank, world
        # Not `drop_last`: Lightning would take that for leave to make this one anew.
        self._cut = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(self.rank, self._batches(), self.world):
            first = number * self.batch_size
            yield self.indices[first : first + self.batch_size].tolist()

    def __len__(self) -> int:
        return len(range(self.rank, self._batches(), self.world))

    def _batches(self) -> int:
        samples, size = len(self.indices), self.batch_size
        return samples // size if self._cut else -(-samples // size)


def _length(dataset: Any) -> int:
    try:
        length = len(dataset)
    except TypeError:
        raise UsageError(
            f"a {type(dataset).__name__} has no length; an iterable data set is a subclass of "
            "torch.utils.data.IterableDataset"
        ) from None
    if not length:
        raise UsageError("there are no samples: the data set is empty")
    return length


def _indices(
    length: int, seed: int, shuffle: bool, subset: int | Sequence[int] | None
) -> NDArray[np.int64]:
    """What is taken of a data set, in order."""
    if isinstance(subset, int):
        if not 1 <= whole(subset, "subset") <= length:
            raise UsageError(f"subset={subset}, but the data set has {length} samples")
        chosen = shuffled(length, seed)[:subset]
        return chosen if shuffle else np.sort(chosen)
    held = np.arange(length) if subset is None else np.asarray(subset, dtype=np.int64)
    if not len(held):
        raise UsageError("there are no samples: the subset is empty")
    if held.ndim != 1 or held.min() < 0 or held.max() >= length:
        raise UsageError(f"the subset holds an index that is not below {length}")
    return held[shuffled(len(held), seed)] if shuffle else held


def _limit(subset: int | Sequence[int] | None) -> int | None:
    if subset is None or isinstance(subset, int):
        return None if subset is None else whole(subset, "subset")
    raise UsageError("an iterable data set has no indices: give `subset` as a number of elements")
