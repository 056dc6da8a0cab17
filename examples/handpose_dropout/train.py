"""One training of the hand-pose network; all that is chosen stands in its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from examples.handpose_dropout.data import Poses, Recordings, Sizes, record
from examples.handpose_dropout.model import joint_error, losses, network
from trainlens_torch import RunLogger
from trainlens_torch.config import TrainingConfig

__all__ = ["Hands", "Training", "train"]


@dataclass(frozen=True)
class Hands:
    """The data of a training.

    Parameters
    ----------
    train, validation : Recordings
    test : Recordings or None
        A benchmark: the same recordings in every run, whatever is validated on.
    """

    train: Recordings
    validation: Recordings
    test: Recordings | None = None

    @classmethod
    def recorded(cls, sizes: Sizes, seed: int = 1) -> Hands:
        """The same recordings for every training; other hands in each of the three parts."""
        generator = torch.Generator().manual_seed(seed)
        parts = (sizes.train, sizes.validation, sizes.test)
        made = [record(n, sizes.frames, generator) if n else None for n in parts]
        train, validation, test = made
        if train is None or validation is None:
            raise ValueError("there must be recordings to train and to validate on")
        return cls(train, validation, test)


class Training:
    """A training that goes on step by step.

    Parameters
    ----------
    config : TrainingConfig
    hands : Hands
    """

    def __init__(self, config: TrainingConfig, hands: Hands) -> None:
        config.seed_all()
        self.config, self.hands = config, hands
        self.model = network()
        self.optimizer = config.optimizer_for(self.model)
        self.clock = config.clock()
        self.scheduler = config.scheduler(self.optimizer, self.clock, self.model)
        self.guard = config.guard_for(self.optimizer, self.clock, self.model)
        self.batches = config.train_loader(hands.train.frames(), collate_fn=_as_it_is)
        self.validation = config.validation_loader(hands.validation)
        self.evaluation = config.evaluation()

    def run(self, log: RunLogger) -> None:
        """Train to the end, recording and evaluating on the way."""
        for batch in _again_and_again(self.batches):
            self.scheduler.apply()  # learning rate and dropout of this update
            found = losses(self.model(batch.seen), batch)
            self.optimizer.zero_grad()
            torch.autograd.backward(found["total"])
            self.guard.step(found["total"])
            self.clock.tick()
            step = self.clock.updates
            if self.config.log_due(step):
                log.log(step, found, self.scheduled())
            if self.evaluation.due(step):
                for split, error in self.evaluated():
                    log.log(step, stats={"mpjpe": error}, split=split)
            if self.config.finished(self.clock):
                break

    def scheduled(self) -> dict[str, float]:
        """Learning rate and dropout of this update; all parameters have the same rate."""
        return {k: v for k, v in self.scheduler.logged().items() if not k.startswith("lr/")}

    def evaluated(self) -> Iterator[tuple[str, float]]:
        """MPJPE in millimetres by split: of all training poses, and of unseen ones."""
        yield "train", self.error([self.hands.train.poses])
        yield "val", self.error(self.validation)
        if self.hands.test is not None:
            yield "test", self.error([self.hands.test.poses])

    @torch.no_grad()
    def error(self, batches: Iterable[Poses]) -> float:
        """Mean MPJPE of all poses of some batches, without dropout."""
        self.model.eval()
        errors = [joint_error(self.model(batch.seen), batch).flatten() for batch in batches]
        self.model.train()
        return float(torch.cat(errors).mean())


def train(config: TrainingConfig, seed: int, folder: Path) -> Path:
    """A training of the story.

    Parameters
    ----------
    config : TrainingConfig
    seed : int
        Of the first weights, the order of the data, what is dropped, and the validation data where
        these have no seed of their own.
    folder : Path
        Gets a folder ``seed-SEED``, with the log in each format that the configuration asks for.
    """
    own = config.changed({"data.seed": seed})
    training = Training(own, Hands.recorded(Sizes()))
    path = folder / f"seed-{seed}"
    with own.logger(path, training.scheduler) as log:
        training.run(log)
    return path


def _as_it_is(batch: Any) -> Any:
    return batch


def _again_and_again(batches: Iterable[Poses]) -> Iterator[Poses]:
    while True:
        yield from batches
