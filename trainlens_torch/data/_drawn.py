"""The first batches of a sampler or a loader, as classes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from trainlens.errors import UsageError
from trainlens_torch.data._labels import Classes, classes
from trainlens_torch.data._randomness import preserved

__all__ = ["Drawn", "draw"]

LabelsOf = Callable[[Any], Any]
_IN_DATA_SETS = ("targets", "labels")
_IN_BATCHES = ("labels", "label", "targets", "target", "y")


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the first batches hold.

    Parameters
    ----------
    batches : list of list
        Class of each sample of each batch.
    indices : list of list of int, or None
        The samples, where batches were drawn as indices.
    data : Classes or None
        All labels of the data set, where they are known.
    """

    batches: list[list[Hashable]]
    indices: list[list[int]] | None
    data: Classes | None


def draw(
    source: Any, labels: Any, count: int, batch_size: int | None, labels_of: LabelsOf | None
) -> Drawn:
    """Draw the first batches; what is drawn from goes on as if it had not been.

    Parameters
    ----------
    source : DataLoader, batch sampler or sampler
    labels : sequence or None
        Of the data set.
    count : int
    batch_size : int or None
        For a sampler that gives single indices.
    labels_of : callable or None
        Takes a batch of the loader and gives its labels.

    Raises
    ------
    UsageError
        Labels that are not to be found, or are not those of this data set.
    """
    dataset = getattr(source, "dataset", None)
    if labels is None and labels_of is None and dataset is not None:
        labels = _labels_in(dataset)
    known = None if labels is None else classes(labels)
    batch_sampler = getattr(source, "batch_sampler", None)
    with _untouched(source, batch_sampler):
        if known is not None and batch_sampler is not None:
            _fitting(known, dataset)
            return _of_indices(batch_sampler, known, count, None)
        if dataset is not None or labels_of is not None:
            return _of_batches(source, known, count, labels_of)
        if known is None:
            raise UsageError("a sampler gives indices: give the labels of the data set as well")
        return _of_indices(source, known, count, batch_size)


def _of_indices(sampler: Any, known: Classes, count: int, size: int | None) -> Drawn:
    batches = [list(map(int, b)) for b in islice(_grouped(iter(sampler), size), count)]
    for number, batch in enumerate(batches):
        wrong = [i for i in batch if not 0 <= i < len(known.codes)]
        if wrong:
            raise UsageError(
                f"batch {number} holds the index {wrong[0]}, but there are {len(known.codes)} "
                "labels: they are not those of this data set"
            )
    found = [[known.names[known.codes[i]] for i in batch] for batch in batches]
    return Drawn(found, batches, known)


def _grouped(drawn: Iterator[Any], size: int | None) -> Iterator[Sequence[int]]:
    """Batches of indices, as they come or made of single ones."""
    for one in drawn:
        if isinstance(one, Iterable):
            yield list(one)
        elif size is None:
            raise UsageError("this sampler gives single indices: say how many make a batch")
        else:
            yield [one, *islice(drawn, size - 1)]


def _of_batches(loader: Any, known: Classes | None, count: int, of: LabelsOf | None) -> Drawn:
    found = []
    for batch in islice(iter(loader), count):
        read = classes((of or _labels_of)(batch))
        found.append([read.names[code] for code in read.codes])
    return Drawn(found, None, known)


def _labels_of(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        for name in _IN_BATCHES:
            if name in batch:
                return batch[name]
        raise UsageError(
            f"no labels in a batch with {', '.join(map(str, batch))}: give the labels of the data "
            "set, or a function that finds them in a batch"
        )
    if isinstance(batch, Sequence) and len(batch) > 1:
        return batch[-1]
    raise UsageError(
        f"no labels in a batch that is a {type(batch).__name__}: give the labels of the data set, "
        "or a function that finds them in a batch"
    )


def _labels_in(dataset: Any) -> Any:
    """Labels that a data set keeps beside its samples, also of a subset or behind a wrapper."""
    for name in _IN_DATA_SETS:
        found = getattr(dataset, name, None)
        if found is not None and hasattr(found, "__len__") and len(found) == _length(dataset):
            return found
    inner = getattr(dataset, "dataset", None)
    held = None if inner is None else _labels_in(inner)
    chosen = getattr(dataset, "indices", None)
    return held if held is None or chosen is None else [held[int(i)] for i in chosen]


def _length(dataset: Any) -> int:
    return len(dataset) if hasattr(dataset, "__len__") else -1


def _fitting(known: Classes, dataset: Any) -> None:
    length = _length(dataset)
    if length not in (-1, len(known.codes)):
        raise UsageError(
            f"{len(known.codes)} labels for a data set of {length} samples: there must be one for "
            "each sample"
        )


@contextmanager
def _untouched(*things: Any) -> Iterator[None]:
    """Put back what samplers change when they are drawn from."""
    held = [(one, copy.copy(one.__dict__)) for one in _samplers(things)]
    generators = [
        (one, one.get_state())
        for _, state in held
        for one in state.values()
        if isinstance(one, torch.Generator)
    ]
    with preserved():
        try:
            yield
        finally:
            for one, state in held:
                one.__dict__.clear()
                one.__dict__.update(state)
            for generator, before in generators:
                generator.set_state(before)


def _samplers(things: Iterable[Any]) -> Iterator[Any]:
    """Samplers, batch samplers, and what they are made of."""
    waiting, seen = list(things), set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen or not hasattr(one, "__dict__"):
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, name, None) for name in ("sampler", "batch_sampler")]
