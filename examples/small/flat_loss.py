"""A four-branch classifier that never learns: its sampler fills each batch from one class.

Batch normalisation then subtracts exactly what tells the classes apart, and nothing is left to
learn: the loss stays at ln 6, the loss of guessing among six classes.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from examples.small.teacher import set_lr

CLASSES, BRANCHES, FEATURES, BATCH = 6, 4, 16, 32
EPOCHS, STEPS_PER_EPOCH = 60, 48
WARMUP_EPOCHS, FIRST_LR, PEAK_LR, LAST_LR = 10, 1e-7, 1e-4, 1e-6


def main(folder: Path) -> None:
    """Train and write a log by step and a log by epoch into a folder."""
    generator = torch.Generator().manual_seed(9)
    torch.manual_seed(9)
    centres = torch.randn(CLASSES, BRANCHES * FEATURES, generator=generator)
    model = QuadModal()
    optimizer = torch.optim.AdamW(model.parameters(), lr=FIRST_LR)
    total = EPOCHS * STEPS_PER_EPOCH
    with (
        open(folder / "one_class_batches.log", "w", encoding="utf-8") as by_step,
        open(folder / "one_class_batches_epochs.log", "w", encoding="utf-8") as by_epoch,
    ):
        for epoch in range(1, EPOCHS + 1):
            lr = learning_rate(epoch)
            set_lr(optimizer, lr)
            losses = []
            for number in range(STEPS_PER_EPOCH):
                step = (epoch - 1) * STEPS_PER_EPOCH + number + 1
                classes = one_class_batch(generator)
                noise = torch.randn(BATCH, BRANCHES * FEATURES, generator=generator)
                losses.append(update(model, optimizer, centres[classes] + noise, classes))
                if step % 8 == 0:
                    present = len(torch.unique(classes))
                    by_step.write(
                        f"{step}/{total} lr={lr:.4e} loss={losses[-1]:.4f} "
                        f"batch_classes={present}\n"
                    )
            note = f" (warmup, LR={lr:.0e})" if epoch <= WARMUP_EPOCHS else ""
            by_epoch.write(f"Epoch {epoch:2d}: Loss {sum(losses) / len(losses):.4f}{note}\n")


class QuadModal(nn.Module):
    """Four encoders, their features normalised, fused and classified."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(FEATURES, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))
            for _ in range(BRANCHES)
        )
        classify = nn.Linear(16 * BRANCHES, CLASSES)
        nn.init.zeros_(classify.weight)
        nn.init.zeros_(classify.bias)
        self.head = nn.Sequential(nn.BatchNorm1d(16 * BRANCHES), classify)

    def forward(self, points: Tensor) -> Tensor:
        """Class scores, shape (b, 6), of points of shape (b, 64)."""
        parts = torch.split(points, FEATURES, 1)
        encoded = [encoder(part) for encoder, part in zip(self.encoders, parts, strict=True)]
        scores: Tensor = self.head(torch.cat(encoded, 1))
        return scores


def one_class_batch(generator: torch.Generator) -> Tensor:
    """What the broken sampler gives: a class drawn for the batch, not for each sample."""
    return torch.randint(CLASSES, (1,), generator=generator).expand(BATCH)


def update(
    model: nn.Module, optimizer: torch.optim.Optimizer, points: Tensor, classes: Tensor
) -> float:
    """One optimizer update; the loss before it."""
    loss = nn.functional.cross_entropy(model(points), classes)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.item()


def learning_rate(epoch: int) -> float:
    """Linear warmup over ten epochs, then a cosine."""
    if epoch <= WARMUP_EPOCHS:
        return FIRST_LR + (PEAK_LR - FIRST_LR) * (epoch - 1) / (WARMUP_EPOCHS - 1)
    share = (epoch - WARMUP_EPOCHS) / (EPOCHS - WARMUP_EPOCHS)
    return LAST_LR + (PEAK_LR - LAST_LR) * (1 + math.cos(math.pi * share)) / 2
