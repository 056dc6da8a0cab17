"""Loaders of training and validation data, and what memory has to say about batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, RandomSampler

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.data import (
    CachedDataset,
    Prefetcher,
    StratifiedBatchSampler,
    seeded_loader,
)
from trainlens_torch.memory import AdaptiveBatch, Freed, SplitOnOOM, free_memory

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

_MIB = 2**20


class SameOrder:
    """A loader whose sampler gives its first epoch again and again.

    Parameters
    ----------
    loader : DataLoader
        Its batch sampler is a `StratifiedBatchSampler`.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        self.loader.batch_sampler.set_epoch(0)
        return iter(self.loader)

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.loader, name)


def train_loader(
    config: TrainingConfig, dataset: Any, labels: Any, device: torch.device | str, /, **options: Any
) -> Any:
    """Batches for training, brought to the device ahead of the loop."""
    own = config.data
    if own.cache_mib:
        dataset = CachedDataset(dataset, own.cache_mib * _MIB)
    batch_sampler = options.pop("batch_sampler", None)
    options = {"num_workers": own.workers, **options}
    if own.sampler == "own":
        loader = _own_loader(dataset, batch_sampler, options)
    else:
        loader = _loader(config, dataset, labels, options)
    return Prefetcher(loader, device, own.prefetch) if own.prefetch else loader


def _own_loader(dataset: Any, batch_sampler: Any, options: dict[str, Any]) -> Any:
    if batch_sampler is None:
        raise UsageError(
            "data.sampler own needs the sampler: config.train_loader(dataset, batch_sampler=...)"
        )
    return DataLoader(dataset, batch_sampler=batch_sampler, **options)


def _loader(config: TrainingConfig, dataset: Any, labels: Any, options: dict[str, Any]) -> Any:
    own, size = config.data, _samples(config)
    if isinstance(dataset, IterableDataset):
        if own.sampler == "stratified":
            raise UsageError("data.sampler stratified needs a data set with a length, no stream")
        return DataLoader(dataset, batch_size=size, drop_last=own.drop_last, **options)
    if own.sampler == "stratified" and labels is None:
        raise UsageError(
            "data.sampler stratified needs the class of each sample: "
            "config.train_loader(dataset, labels)"
        )
    # One class for all: a shuffle that is dealt out to ranks, and resumed, in the same way.
    known = labels if own.sampler == "stratified" else np.zeros(len(dataset), dtype=np.int64)
    sampler = StratifiedBatchSampler(known, size, seed=own.seed, drop_last=own.drop_last)
    loader: Any = DataLoader(dataset, batch_sampler=sampler, **options)
    return loader if own.reshuffle else SameOrder(loader)


def _samples(config: TrainingConfig) -> int:
    """Of a batch of the loader: what `recovery` cuts up is a whole update."""
    batch = config.batch
    return batch.size * batch.accumulation if config.memory.on_oom == "split" else batch.size


def validation_loader(config: TrainingConfig, dataset: Any, /, **options: Any) -> DataLoader[Any]:
    """Batches for validation: the same ones in every run, or drawn anew where no seed is set."""
    if config.validation.seed is None:
        return _drawn_anew(config, dataset, options)
    most = config.validation.samples
    subset = most
    if most is not None and not isinstance(dataset, IterableDataset):
        subset = min(most, len(dataset))
    given = {"workers": config.data.workers, "subset": subset, **options}
    return seeded_loader(
        dataset, seed=config.validation.seed, batch_size=config.batch.size, **given
    )


def _drawn_anew(config: TrainingConfig, dataset: Any, options: dict[str, Any]) -> DataLoader[Any]:
    if isinstance(dataset, IterableDataset):
        raise UsageError(
            "validation.seed none needs a data set with a length: the order of a stream is its own"
        )
    most = config.validation.samples
    count = len(dataset) if most is None else min(most, len(dataset))
    workers = options.pop("workers", config.data.workers)
    return DataLoader(
        dataset,
        batch_size=config.batch.size,
        sampler=RandomSampler(dataset, num_samples=count),
        num_workers=workers,
        **options,
    )


def adaptive_batch(config: TrainingConfig) -> AdaptiveBatch | None:
    """The size of micro-batches that follows memory; None where it is off."""
    own = config.memory
    return AdaptiveBatch(config.batch.size, ceiling=own.ceiling) if own.adaptive_batch else None


def recovery(
    config: TrainingConfig,
    model: nn.Module,
    loss: Callable[[Any], Any],
    optimizer: torch.optim.Optimizer,
    clock: Clock | None,
    /,
    **more: Any,
) -> SplitOnOOM | None:
    """What repeats an update in smaller pieces; None where `memory.on_oom` is not split."""
    if config.memory.on_oom != "split":
        return None
    batch = adaptive_batch(config) or config.batch.size
    return SplitOnOOM(model, loss, optimizer, batch=batch, clock=clock, **more)


def clean_up(config: TrainingConfig, step: int) -> Freed | None:
    """Give back memory that nothing uses, where it is time; what was freed, else None."""
    every = config.memory.cleanup_every
    return free_memory() if every and step > 0 and step % every == 0 else None
