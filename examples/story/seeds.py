"""The same training with several seeds, as many at a time as there are cores to spare."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path

from trainlens_torch.config import TrainingConfig

__all__ = ["Trainings", "trainings"]

Trainings = Callable[[str, TrainingConfig, Sequence[int], Path], list[Path]]


@contextmanager
def trainings(workers: int) -> Iterator[Trainings]:
    """A function that trains one configuration with several seeds and gives the logs in order."""
    # Not forked from here: torch's threads do not survive that. One thread each: these networks
    # are too small to share, and the sums stay the same on every machine.
    context = _processes()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_alone) as pool:

        def train(
            training: str, config: TrainingConfig, seeds: Sequence[int], folder: Path
        ) -> list[Path]:
            folder.mkdir(parents=True, exist_ok=True)
            jobs = [pool.submit(_train, training, config, seed, folder) for seed in seeds]
            return [job.result() for job in jobs]

        try:
            yield train
        finally:
            # What has not begun when a training fails, or at Ctrl-C, never begins.
            pool.shutdown(cancel_futures=True)


def _processes() -> BaseContext:
    """Processes that begin without threads; where the system can, with what all import."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "trainlens_torch.config"])
    return context


def _alone() -> None:
    import torch

    torch.set_num_threads(1)


def _train(training: str, config: TrainingConfig, seed: int, folder: Path) -> Path:
    module, _, name = training.partition(":")
    train: Callable[[TrainingConfig, int, Path], Path] = getattr(
        importlib.import_module(module), name
    )
    return train(config, seed, folder)
