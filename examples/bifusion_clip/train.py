"""One training of the fusion model, all of whose parts the configuration makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from examples.bifusion_clip.data import Batch, Recordings, held_out, recordings
from examples.bifusion_clip.model import BiFusion
from examples.bifusion_clip.rooms import CLASSES
from trainlens_torch.config import TrainingConfig

__all__ = ["mean_iou", "measured", "train"]


def train(config: TrainingConfig, seed: int, folder: Path) -> Path:
    """Train with a seed: first weights, and the order of the recordings.

    Parameters
    ----------
    config : TrainingConfig
    seed : int
    folder : Path
        Where the log is written.

    Returns
    -------
    Path
        The log.
    """
    config = config.changed({"data.seed": seed})
    config.seed_all()
    clock = config.clock()
    consistency, diversity = config.clip_consistency(clock), config.gate_diversity()
    model = BiFusion(config, diversity)
    optimizer = config.optimizer_for(model)
    scheduler = config.scheduler(optimizer, clock, model, parts=[consistency.part()])
    guard = config.guard_for(optimizer, clock, model)
    evaluation, cross_entropy = config.evaluation(), config.cross_entropy()
    batches = config.train_loader(Recordings(recordings(), seed))
    validation = list(config.validation_loader(held_out()))
    path = folder / f"seed-{seed}.jsonl"
    with config.logger(path, scheduler) as log:
        for batch in config.without_skipped(batches, clock):
            scheduler.apply()
            _, _, valid, labels = batch
            fused = model(batch)
            losses = {
                "seg_loss": cross_entropy(fused.scores.flatten(0, 1), labels.flatten()),
                "clip_loss": consistency(fused.features, fused.clip_features, valid),
                "alpha_diversity": diversity(fused.alpha),
            }
            total = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            torch.autograd.backward(total)
            guard.step(total)
            clock.tick()
            if config.log_due(clock.updates):
                at = {"progress": clock.progress, "lr": scheduler.logged()["lr"]}
                stats = {**at, **consistency.last, **diversity.last, **guard.stats()}
                log.log(clock.updates, {"total_loss": total, **losses}, stats)
            if evaluation.due(clock.updates):
                log.log(clock.updates, *measured(model, validation), split="val")
            if config.finished(clock):
                break
    return path


@torch.no_grad()
def measured(
    model: nn.Module, batches: Iterable[Batch]
) -> tuple[dict[str, float], dict[str, float]]:
    """Loss, and accuracy and mean IoU, of a model on held-out scenes."""
    model.eval()
    pairs = [(model(batch).scores.flatten(0, 1), batch[3].flatten()) for batch in batches]
    model.train()
    scores, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    guess = scores.argmax(-1)
    accuracy = (guess == labels).float().mean().item()
    loss = nn.functional.cross_entropy(scores, labels).item()
    return {"seg_loss": loss}, {"accuracy": accuracy, "miou": mean_iou(guess, labels, CLASSES)}


def mean_iou(guess: Tensor, labels: Tensor, classes: int) -> float:
    """Mean over the classes of intersection over union of guesses and labels.

    Parameters
    ----------
    guess, labels : Tensor of int64, shape (n,)
    classes : int

    Returns
    -------
    float
        In [0, 1]. A class that is in neither does not count; NaN where none is.

    Examples
    --------
    >>> mean_iou(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]), 3)  # of 1/2 and 2/3
    0.5833333730697632
    """
    table = torch.bincount(labels * classes + guess, minlength=classes**2).reshape(classes, -1)
    both = table.diagonal()
    union = table.sum(0) + table.sum(1) - both
    return float((both[union > 0] / union[union > 0]).mean())
