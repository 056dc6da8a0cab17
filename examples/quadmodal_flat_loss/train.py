"""The training: every part of it is made by the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from examples.quadmodal_flat_loss.data import Readings, readings
from examples.quadmodal_flat_loss.model import QuadModal, by_sensor
from examples.quadmodal_flat_loss.sampler import ClassBatches
from trainlens_torch.config import TrainingConfig


def train(config: TrainingConfig, seed: int, folder: Path) -> Path:
    """Train with a configuration and a seed; the log is ``seed-SEED.jsonl`` in the folder."""
    config = config.changed({"data.seed": seed})
    config.seed_all()
    known, unseen = readings()
    loader = train_batches(config, known)
    model = QuadModal(config)
    optimizer = config.optimizer_for(model)
    clock = config.clock(updates_per_epoch=len(loader))
    scheduler = config.scheduler(optimizer, clock, model)
    guard = config.guard_for(optimizer, clock, model)
    health = config.health_check(model, optimizer)
    criterion, evaluation = config.cross_entropy(), config.evaluation()
    path = folder / f"seed-{seed}.jsonl"
    with config.logger(path, scheduler) as log, config.debugging():
        log.log(0, stats={"majority_share": known.majority})
        for features, labels in forever(loader):
            step = clock.updates + 1
            scheduler.apply()
            config.debug_batch(labels, by_sensor(features), step - 1)
            if health:
                health.begin(step)
            loss = criterion(model(features), labels)
            optimizer.zero_grad()
            loss.backward()
            config.debug_gradients(model, step - 1)
            guard.step(loss)
            report = health.end(loss) if health else None
            clock.tick()
            if config.log_due(step):
                stats = {"batch_classes": len(labels.unique()), **scheduler.logged()}
                looked = report.stats if report else {}
                log.log(
                    step, {"loss": loss}, {**looked, **guard.stats(), **stats}, epoch=clock.epoch
                )
            if evaluation.due(step):
                log.log(step, *evaluate(model, unseen), split="val", epoch=clock.epoch)
            if config.finished(clock):
                break
    return path


def train_batches(config: TrainingConfig, known: Readings) -> Any:
    """A loader with the sampler of the team, or with what `data.sampler` asks for instead."""
    own = ClassBatches(known.labels, config.batch.size, config.data.seed)
    return config.train_loader(known.dataset, known.labels, batch_sampler=own)


def forever(loader: Iterable[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


@torch.no_grad()
def evaluate(model: nn.Module, unseen: Readings) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Loss, and share of right answers."""
    model.eval()
    scores = model(unseen.features)
    model.train()
    right = (scores.argmax(1) == unseen.labels).float().mean()
    return {"loss": nn.functional.cross_entropy(scores, unseen.labels)}, {"accuracy": right}
