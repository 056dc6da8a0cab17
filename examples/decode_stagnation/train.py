"""One training of the localisation network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from examples.decode_stagnation.frames import Frames
from examples.decode_stagnation.network import counted, localizer, squared_distance
from trainlens_torch.config import TrainingConfig

FRAMES, UNSEEN = 32, 96
"""Frames of an epoch, drawn anew each time, and of an evaluation, always the same."""

Values = dict[str, float | Tensor]


def train(config: TrainingConfig, seed: int, folder: Path) -> Path:
    """Train with a configuration and a seed, in a folder of its own below `folder`.

    Returns
    -------
    Path
        That folder: its log in two formats, and its checkpoints. Where it holds a checkpoint
        already, the training goes on from there.
    """
    path = folder / f"seed-{seed}"
    Training(config.changed({"data.seed": seed})).run(path)
    return path


class Training:
    """All parts of a training, made by its configuration."""

    def __init__(self, config: TrainingConfig) -> None:
        config.seed_all()
        self.config = config
        self.frames = Frames(FRAMES, seed=config.data.seed + 1)
        self.batches = config.train_loader(self.frames)
        self.unseen = config.validation_loader(Frames(UNSEEN, seed=0))
        self.model = localizer(config.activation_layer)
        config.initialize(self.model)
        self.criterion = config.channel_loss()
        self.optimizer = config.optimizer_for(self.model)
        self.clock = config.clock(updates_per_epoch=len(self.batches))
        self.manager = config.adaptive_manager()
        self.scheduler = config.scheduler(
            self.optimizer, self.clock, self.model, adaptive=self.manager
        )
        self.guard = config.guard_for(self.optimizer, self.clock, self.model)
        self.health = config.health_check(self.model, self.optimizer)

    def run(self, path: Path) -> None:
        """Train to the end, from the newest checkpoint where there is one."""
        config, clock = self.config, self.clock
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        saver = config.checkpointer(path, parts)
        config.resume_from(saver, parts)
        evaluation = config.evaluation()
        with config.logger(path, self.scheduler) as log:
            while not config.finished(clock):
                loss, stats = self.epoch()
                step, epoch = clock.updates, clock.updates // len(self.batches)
                log.log(step, {"loss": loss}, stats, epoch=epoch)
                if self.manager is not None:
                    self.manager.update(loss, epoch)
                if evaluation.due(step):
                    losses, metrics = self.evaluate(evaluation.batches(self.unseen))
                    log.log(step, losses, metrics, split="val", epoch=epoch)
                if config.checkpoint_due(step):
                    saver.save(step, metric=loss)

    def epoch(self) -> tuple[float, Values]:
        """Train on the frames of one epoch: their mean loss, and what else there is to log."""
        self.frames.renew(self.clock.updates // len(self.batches))
        losses: list[Tensor] = []
        stats: Values = {}
        for image, target in self.batches:
            self.scheduler.apply()
            if self.health is not None:
                self.health.begin(self.clock.updates)
            loss = self.criterion(self.model(image), target, counted(target))
            self.optimizer.zero_grad()
            loss.backward()
            self.guard.step(loss)
            report = None if self.health is None else self.health.end(loss)
            stats |= {} if report is None else report.stats
            losses.append(loss.detach())
            self.clock.tick()
        stats |= {**self.guard.stats(), **self.scheduler.logged()}
        return torch.stack(losses).mean().item(), stats

    @torch.no_grad()
    def evaluate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Values, Values]:
        """Loss on unseen frames, and how far off places are: root mean square, nanometres."""
        losses, squares = [], []
        for image, target in batches:
            output = self.model(image)
            losses.append(self.criterion(output, target, counted(target)))
            squares.append(squared_distance(output, target))
        return {"loss": torch.stack(losses).mean()}, {"rmse_nm": torch.cat(squares).mean().sqrt()}
