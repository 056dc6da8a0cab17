"""One training: from the archive to the scores of its best checkpoint."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from pathlib import Path

from examples.diffold_guarded.data import Archive, Chains, Stream, collate
from examples.diffold_guarded.model import Predictor, limit_memory
from examples.diffold_guarded.own_time import OwnTime
from examples.diffold_guarded.scoring import scores
from examples.diffold_guarded.updates import updates
from trainlens_torch import RunLogger, SystemMonitor
from trainlens_torch.config import TrainingConfig
from trainlens_torch.memory import Updated

UPDATE = 8
"""Chains of an update for which the archive is laid out."""
LONG = 0.025
"""Share of long chains in it."""
APART = 25
"""Updates from one entry of the slow shelf to the next, in the mean."""
CORRUPT = 0.35
"""Where in it the corrupt entry lies."""
HELD_OUT, HELD_OUT_LONG = 32, 0.25
"""Chains of the validation, and of the test, and the share of long ones among them."""


def archive(length: int) -> Archive:
    """What so many updates train on, the same for every seed: each chain once."""
    rng, count = random.Random(0), UPDATE * length
    slow = [UPDATE * (first + rng.randrange(APART)) for first in range(APART, length, APART)]
    return Archive(count, 1, LONG, slow=slow, corrupt=round(CORRUPT * count))


def train(config: TrainingConfig, seed: int, folder: Path) -> Path:
    """Train with one seed; the folder of its log, ``seed-N``."""
    # Each time that memory runs out stands in the log, and need not be told on the terminal.
    logging.getLogger("trainlens_torch.memory").addHandler(logging.NullHandler())
    own = config.changed({"data.seed": seed})
    training = Training(own, folder / f"seed-{seed}")
    with training.log, training.system, own.debugging():
        training.run()
    return training.log.path


class Training:
    """A model on its way through the archive.

    Parameters
    ----------
    config : TrainingConfig
    folder : Path
        For the log and the checkpoints.
    """

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        config.seed_all()
        self.config = config
        self.model = config.cast(Predictor())
        limit_memory(self.model)
        self.clock = config.clock()
        self.optimizer = config.optimizer_for(self.model)
        self.scheduler = config.scheduler(self.optimizer, self.clock, self.model)
        self.updates = updates(config, self.model, self.optimizer, self.clock)
        self.health = config.health_check(self.model, self.optimizer)
        self.saver = config.checkpointer(folder, {"model": self.model})
        self.time = OwnTime()
        self.system = SystemMonitor(
            config.logging.system_every, folder=folder.parent, clock=self.time
        )
        self.log: RunLogger = config.logger(folder, self.scheduler)

    def run(self) -> None:
        """Train, evaluate now and then, and test the best checkpoint."""
        config, length = self.config, round(self.clock.total.value)
        stream = Stream(archive(length), config.data.seed)
        loader = config.train_loader(stream, collate_fn=collate)
        validation = self._held_out(2)
        for chains in config.timed(self.time.waiting(loader), self.system):
            self.step(chains)
            if config.evaluation().due(self.clock.updates) and not self.clock.micro:
                self.validate(validation)
            if config.finished(self.clock):
                break
        self.test(self._held_out(3))

    def step(self, chains: Chains) -> None:
        """Learn from one batch, and log what came of it."""
        self.scheduler.apply()
        if self.health is not None:
            self.health.begin(self.clock.updates)
        done = self.updates.update(chains)
        if done is None:  # which is no step: its time would say nothing
            self.system.pause()
            self.log.log(self.clock.updates, stats=self.updates.stats())
            return
        self.system.step()
        if not self.clock.micro and self.config.log_due(self.clock.updates):
            self._record(done)

    def _record(self, done: Updated) -> None:
        report = self.health.end(done.loss) if self.health is not None else None
        stats = {**self.scheduler.logged(), **self.updates.stats(), **self.system.stats()}
        remarks = report["remarks"] if report is not None else ()
        self.log.log(self.clock.updates, {"loss": done.loss, **done.told}, stats, anomalies=remarks)

    def validate(self, batches: Iterable[Chains]) -> None:
        """Score the model, and keep it if it is the best so far."""
        loss, found = scores(self.model, batches)
        self.log.log(self.clock.updates, {"loss": loss}, found, split="val")
        self.saver.save(self.clock.updates, metric=found["lddt"])
        self.system.pause()

    def test(self, batches: Iterable[Chains]) -> None:
        """Score the checkpoint that the validation liked best, which is what would be used."""
        self.saver.resume(self.saver.best())
        _, found = scores(self.model, batches)
        self.log.log(self.clock.updates, stats=found, split="test")

    def _held_out(self, seed: int) -> Iterable[Chains]:
        data = Archive(HELD_OUT, seed, HELD_OUT_LONG)
        loader: Iterable[Chains] = self.config.validation_loader(
            data, collate_fn=collate, workers=0
        )
        return loader
