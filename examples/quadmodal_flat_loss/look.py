"""A closer look: ``python -m examples.quadmodal_flat_loss.look CONFIG [RATE ...]``.

Says what the first two batches and their gradients are, and where the loss goes within a few
updates with other learning rates.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import trainlens
from examples.quadmodal_flat_loss.train import train
from trainlens_torch.config import TrainingConfig

UPDATES, ENDS = 80, 5


def main(path: str, *rates: str) -> None:
    """Look at a configuration, and at others that differ in the learning rate alone."""
    torch.set_num_threads(1)
    config = TrainingConfig.load(path)
    with TemporaryDirectory() as folder:
        debug = {"debug.batches": 2, "debug.max_updates": 2}
        train(config.changed(debug), 0, Path(folder))
        if rates:
            print(f"\nlr     first {ENDS * 4} updates  last of {UPDATES}  val accuracy")
        for rate in rates:
            print(_row(config, rate, Path(folder, rate)))


def _row(config: TrainingConfig, rate: str, folder: Path) -> str:
    changed = {"optimizer.lr": float(rate), "schedule.total": UPDATES}
    run = trainlens.load_one(train(config.changed(changed), 0, folder))
    loss, accuracy = run["loss", "train"].value, run["accuracy", "val"].value
    return f"{rate:6s} {loss[:ENDS].mean():16.4f} {loss[-ENDS:].mean():12.4f} {accuracy[-1]:13.2f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
