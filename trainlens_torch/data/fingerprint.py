"""A text that changes when the data on which is validated change."""

from __future__ import annotations

import hashlib
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import (
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
)

from trainlens.errors import UsageError
from trainlens_torch.checks import whole
from trainlens_torch.data._contents import feed
from trainlens_torch.data._randomness import derived, seeded
from trainlens_torch.data._stream import SeededStream
from trainlens_torch.data.seeded import FixedBatches, SeededDataset

__all__ = ["Fingerprint", "fingerprint"]


@dataclass(frozen=True)
class Fingerprint:
    """What tells one set of validation data from another.

    Parameters
    ----------
    fingerprint : str
        16 hexadecimal digits.
    samples : int or None
        How many there are; None where an iterable data set does not tell.
    looked_at : int
        How many of them were read.
    """

    fingerprint: str
    samples: int | None
    looked_at: int


def fingerprint(data: Any, *, items: int | None = 64) -> Fingerprint:
    """Fingerprint of a data set, or of what a loader gives of it.

    Of all its samples the number and the indices are hashed, and the contents of the first, the
    last and others evenly between. So a change of the set, of its subset, or of all samples (other
    files, another preprocessing) is always seen, a change of single samples if they are among
    those read: ``items=None`` reads all. The order of the indices does not count, for it changes
    no mean; of an iterable data set, where it decides what is seen, the first elements count.

    Random transforms are seeded as the loader of `seeded_loader` seeds them, elsewhere by a seed
    of their own; so the fingerprint is the same in every process and on every rank. It goes into
    the head of the log, where ``trainlens compare`` looks for it::

        RunLogger("runs/a", config={"lr": 1e-3, "validation": fingerprint(loader)})

    Parameters
    ----------
    data : DataLoader or Dataset
        Batches of a loader are not collated, and its sampler is not drawn from.
    items : int, optional
        How many samples are read; None for all.

    Raises
    ------
    UsageError
        A data set without samples.

    Examples
    --------
    >>> fingerprint([1.0, 2.0, 3.0]).samples
    3
    >>> fingerprint([1.0, 2.0]).fingerprint == fingerprint([1.0, 2.5]).fingerprint
    False
    """
    most = None if items is None else whole(items, "items")
    dataset = getattr(data, "dataset", data) if hasattr(data, "batch_sampler") else data
    if isinstance(dataset, SeededStream | IterableDataset):
        return _of_stream(dataset, most)
    indices = np.sort(_indices(data, dataset))
    if not len(indices):
        raise UsageError("there are no samples: the data set is empty")
    held = hashlib.sha256(f"{len(indices)}".encode())
    held.update(indices.astype("<i8").tobytes())
    chosen = indices if most is None else indices[_spread(len(indices), most)]
    for index in chosen.tolist():
        feed(held, _sample(dataset, index))
    return Fingerprint(held.hexdigest()[:16], len(indices), len(chosen))


def _of_stream(dataset: Any, most: int | None) -> Fingerprint:
    """Of what all ranks see."""
    if isinstance(dataset, SeededStream):
        given = (dataset.dataset, dataset.seed, dataset.unit, 0, 1, dataset.limit)
    else:
        given = (dataset, 0, 1, 0, 1, None)
    stream, held, count = SeededStream(*given), hashlib.sha256(), 0
    with closing(iter(stream)) as elements:
        for element in islice(elements, most):
            feed(held, element)
            count += 1
    if not count:
        raise UsageError("there are no samples: the data set is empty")
    whole_stream = count if most is None or count < most else None
    limit = dataset.limit if isinstance(dataset, SeededStream) else None
    held.update(f"{limit} {whole_stream}".encode())
    return Fingerprint(held.hexdigest()[:16], whole_stream, count)


def _sample(dataset: Any, index: int) -> Any:
    own = isinstance(dataset, SeededDataset)
    with nullcontext() if own else seeded(derived(0, index)):
        return dataset[index]


def _indices(data: Any, dataset: Any) -> NDArray[np.int64]:
    """Which samples a loader gives, without drawing from its sampler."""
    batches = getattr(data, "batch_sampler", None)
    for sampler in (batches, getattr(data, "sampler", None)):
        if isinstance(sampler, FixedBatches):
            return sampler.indices
        if isinstance(sampler, SubsetRandomSampler):
            return np.asarray(sampler.indices, dtype=np.int64)
        if isinstance(sampler, RandomSampler | SequentialSampler):
            break
    return np.arange(len(dataset))


def _spread(length: int, most: int) -> NDArray[np.int64]:
    """First, last, and places evenly between."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.int64))
