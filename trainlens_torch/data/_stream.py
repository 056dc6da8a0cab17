"""Iterable data sets as one stream that is the same in every pass, process and layout."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Generator
from itertools import count
from typing import Any

from torch.utils.data import IterableDataset

from trainlens_torch.data._randomness import Randomness, derived

__all__ = ["SeededStream", "reseeded"]

_OF_NODES = ("single_node_only", "split_by_node", "split_by_worker")


class SeededStream(IterableDataset[Any]):
    """The elements of an iterable data set, drawn with random numbers of its own.

    Parameters
    ----------
    dataset : IterableDataset
    seed : int
    unit : int
        Elements of a batch; each rank gets whole ones.
    rank, world : int
    limit : int or None
        Elements after which the stream of all ranks ends.
    """

    def __init__(
        self, dataset: Any, seed: int, unit: int, rank: int, world: int, limit: int | None
    ) -> None:
        self.dataset, self.seed, self.unit = dataset, seed, unit
        self.rank, self.world, self.limit = rank, world, limit

    def __iter__(self) -> Generator[Any, None, None]:
        randomness = Randomness(derived(self.seed, "stream"))
        with randomness.inside():
            stream = iter(reseeded(self.dataset, self.seed))
        for place in count() if self.limit is None else range(self.limit):
            with randomness.inside():
                try:
                    element = next(stream)
                except StopIteration:
                    return
            if place // self.unit % self.world == self.rank:
                yield element


def reseeded(dataset: Any, seed: int) -> Any:
    """A copy of a data set whose pipeline draws from a seed instead of the clock.

    Stages of WebDataset seed generators of their own, by default with the time; here each stage
    that takes a seed gets one, and starts its count of epochs anew. Stages that give each node or
    worker shards of its own are left out, as the stream is divided by batches.

    Parameters
    ----------
    dataset : IterableDataset
        One without a `pipeline` is returned as it is.
    seed : int
    """
    pipeline = getattr(dataset, "pipeline", None)
    if not isinstance(pipeline, list):
        return dataset
    made = copy.copy(dataset)
    made.pipeline = [
        _stage(stage, derived(seed, "stage", place))
        for place, stage in enumerate(pipeline)
        if getattr(stage, "__name__", getattr(getattr(stage, "f", None), "__name__", ""))
        not in _OF_NODES
    ]
    return made


def _stage(stage: Any, seed: int) -> Any:
    if isinstance(getattr(stage, "pipeline", None), list):
        return reseeded(stage, seed)
    if callable(getattr(stage, "f", None)) and isinstance(getattr(stage, "kw", None), dict):
        return _curried(stage, seed)
    if getattr(stage, "seed", None) is None:
        return stage
    made = copy.copy(stage)
    made.seed = seed
    if hasattr(made, "epoch"):
        made.epoch = -1
    if hasattr(made, "deterministic"):
        made.deterministic = True
    if hasattr(made, "worker_seed"):
        # By default it tells processes apart.
        made.worker_seed = _no_worker
    return made


def _curried(stage: Any, seed: int) -> Any:
    taken = inspect.signature(stage.f).parameters
    if "seed" not in taken and "rng" not in taken:
        return stage
    made = copy.copy(stage)
    made.kw = {name: value for name, value in stage.kw.items() if name not in ("seed", "rng")}
    if "seed" in taken:
        made.kw["seed"] = seed
    else:
        made.kw["rng"] = random.Random(seed)
    return made


def _no_worker() -> int:
    return 0
