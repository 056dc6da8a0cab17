"""Two runs with a learning rate far too large: one ends in NaN, one climbs and stays up."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from examples.small.teacher import Teacher, even_clock, set_lr, student
from trainlens_torch import JsonlSink


def main(folder: Path) -> None:
    """Train both and write ``ends_in_nan.jsonl`` and ``climbs.jsonl`` into a folder."""
    ends_in_nan(folder / "ends_in_nan.jsonl")
    climbs(folder / "climbs.jsonl")


def ends_in_nan(path: Path, steps: int = 750, peak: float = 4.0) -> None:
    """Regression by plain gradient descent: the warmup passes the largest stable rate."""
    teacher, model = Teacher(seed=5), student(64, seed=5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    config = {"lr": peak, "warmup_steps": steps, "momentum": 0.9, "grad_clip": 0.0}
    with JsonlSink(path, config=config, clock=even_clock()) as sink:
        for step in range(1, steps + 1):
            lr = peak * step / steps
            set_lr(optimizer, lr)
            points, classes = teacher.draw(64)
            wanted = nn.functional.one_hot(classes, 6).float()
            loss = nn.functional.mse_loss(model(points), wanted)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            norm = nn.utils.get_total_norm(
                [p.grad for p in model.parameters() if p.grad is not None]
            )
            optimizer.step()
            if step % 2 == 0:
                sink.log(step, {"loss": loss.item()}, {"lr": lr, "grad_norm": norm.item()})


def climbs(path: Path, steps: int = 3_000, peak: float = 6.0) -> None:
    """Classification with a clipped gradient: nothing overflows, the loss climbs nonetheless."""
    teacher, model = Teacher(seed=6), student(64, seed=6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    config = {"lr": peak, "warmup_steps": steps, "momentum": 0.9, "grad_clip": 1.0}
    with JsonlSink(path, config=config, clock=even_clock()) as sink:
        for step in range(1, steps + 1):
            lr = peak * (step / steps) ** 2
            set_lr(optimizer, lr)
            points, classes = teacher.draw(64)
            loss = nn.functional.cross_entropy(model(points), classes)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if step % 5 == 0:
                sink.log(step, {"loss": loss.item()}, {"lr": lr, "grad_norm": norm.item()})
