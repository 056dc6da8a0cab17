"""Two text logs of the same fault, as a team with a warmup would have them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import trainlens
from examples.quadmodal_flat_loss.story import baseline
from examples.quadmodal_flat_loss.train import train

EPOCHS, WARMUP_EPOCHS, EVERY = 60, 10, 4


def write_sample(folder: Path) -> None:
    """Train once, and write ``one_class_batches.log`` and ``one_class_batches_epochs.log``.

    The first has a line every few updates and tells how many classes a batch holds; the second
    has a line an epoch, without that.

    Parameters
    ----------
    folder : Path
        That is there.
    """
    run = _trained()
    loss, rate, classes = (run[name, "train"] for name in ("loss", "lr", "batch_classes"))
    rows = zip(loss.step, rate.value, loss.value, classes.value, strict=True)
    by_step = [
        f"{step}/{loss.step[-1]} lr={lr:.4e} loss={value:.4f} batch_classes={count:.0f}\n"
        for step, lr, value, count in rows
        if step % EVERY == 0
    ]
    means = np.mean(np.split(loss.value, EPOCHS), axis=1)
    first = rate.value[:: len(rate) // EPOCHS]
    by_epoch = [
        f"Epoch {epoch:2d}: Loss {mean:.4f}{_note(epoch, lr)}\n"
        for epoch, (mean, lr) in enumerate(zip(means, first, strict=True), 1)
    ]
    (folder / "one_class_batches.log").write_text("".join(by_step), encoding="utf-8")
    (folder / "one_class_batches_epochs.log").write_text("".join(by_epoch), encoding="utf-8")


def _trained() -> trainlens.Run:
    """The baseline with a warmup, every update recorded."""
    config = baseline(short=False).changed(
        {
            "schedule.kind": "cosine",
            "schedule.total": f"{EPOCHS}ep",
            "schedule.warmup": f"{WARMUP_EPOCHS}ep",
            "schedule.warmup_start": 1e-3,
            "health.enabled": False,
            "logging.every": 1,
        }
    )
    with TemporaryDirectory() as folder:
        return trainlens.load_one(train(config, 0, Path(folder)))


def _note(epoch: int, rate: float) -> str:
    return f" (warmup, LR={rate:.0e})" if epoch <= WARMUP_EPOCHS else ""
