"""A run that learns its 120 training points by heart, written by torch's SummaryWriter."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from examples.small.teacher import Teacher, even_clock, student


def main(folder: Path) -> None:
    """Train and write one event file into a folder."""
    teacher, model = Teacher(seed=11, sharpness=6.0), student(128, seed=11)
    seen, unseen = teacher.draw(120), teacher.draw(2_000)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    writer = SummaryWriter(str(folder))
    clock = even_clock()
    for step in range(1, 3_001):
        index = torch.randint(120, (24,), generator=teacher.generator)
        loss = nn.functional.cross_entropy(model(seen[0][index]), seen[1][index])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        now = clock()
        if step % 10 == 0:
            writer.add_scalar("loss/train", loss.item(), step, now)
            writer.add_scalar("lr", 5e-4, step, now)
        if step % 20 == 0:
            held_out, accuracy = judge(model, *unseen)
            writer.add_scalar("loss/val", held_out, step, now)
            writer.add_scalar("accuracy/val", accuracy, step, now)
            writer.add_scalar("accuracy/train", judge(model, *seen)[1], step, now)
    writer.close()
    # The stock name holds the name of the machine and the second of the day.
    for events in folder.glob("events.out.tfevents.*"):
        events.rename(folder / "events.out.tfevents.1767225600.sample.0")


@torch.no_grad()
def judge(model: nn.Module, points: Tensor, classes: Tensor) -> tuple[float, float]:
    """Cross-entropy and accuracy."""
    said = model(points)
    correct = (said.argmax(1) == classes).float().mean()
    return nn.functional.cross_entropy(said, classes).item(), correct.item()
