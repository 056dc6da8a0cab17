"""A run without a fault: fresh data, warmup, cosine decay, loss falling to the end."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn

from examples.small.teacher import Teacher, even_clock, set_lr, student
from trainlens_torch import JsonlSink

CONFIG = {"lr": 1e-3, "warmup_steps": 300, "steps": 6_000, "batch_size": 128, "seed": 3}


def main(folder: Path) -> None:
    """Train and write ``healthy.jsonl`` into a folder."""
    teacher, model = Teacher(seed=3, sharpness=6.0), student(128, seed=3)
    unseen = teacher.draw(2_048)
    optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG["lr"], weight_decay=0.01)
    with JsonlSink(folder / "healthy.jsonl", config=CONFIG, clock=even_clock()) as sink:
        for step in range(1, 6_001):
            lr = learning_rate(step)
            set_lr(optimizer, lr)
            points, classes = teacher.draw(128)
            loss = nn.functional.cross_entropy(model(points), classes)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            if step % 10 == 0:
                stats = {"lr": lr, "grad_norm": norm.item()}
                sink.log(step, {"loss": loss.item()}, stats, progress=step / 6_000)
            if step % 100 == 0:
                with torch.no_grad():
                    held_out = nn.functional.cross_entropy(model(unseen[0]), unseen[1])
                sink.log(step, {"loss": held_out.item()}, split="val", progress=step / 6_000)


def learning_rate(step: int) -> float:
    """Linear warmup over 300 steps, then a cosine to zero at step 6,000."""
    if step <= 300:
        return CONFIG["lr"] * step / 300
    return CONFIG["lr"] * (1 + math.cos(math.pi * (step - 300) / 5_700)) / 2
