"""What the team saw, and what it wants to see."""

from __future__ import annotations

from pathlib import Path

from examples.story import Story
from trainlens_torch.config import TrainingConfig


def baseline(short: bool) -> TrainingConfig:
    """The configuration as it was: nothing is guarded, and each batch is waited for."""
    return TrainingConfig().changed(
        {
            "optimizer.lr": 3e-3,
            "schedule.total": 150 if short else 560,
            "batch.size": 8,
            "data.workers": 0,
            "data.prefetch": 0,
            "guard.skip_nonfinite": False,
            "logging.every": 1,
            "logging.data_time": True,
            "validation.every_steps": 30 if short else 56,
            "early_stopping.mode": "max",
        }
    )


STORY = Story(
    title="A structure predictor that runs out of memory, waits, and ends in NaN",
    told=(
        "Chains go into memory as pairs of residues, so a batch with one long chain may not fit. "
        "The team catches the error, notes it, and goes on: every fifth batch is lost, and with it "
        "nearly every long chain. Now and then a step takes 0.15 s in place of some milliseconds. "
        "After a third of the training the loss becomes NaN, and stays so. There is no GPU here: "
        "memory is a budget of pairs (`examples/diffold_guarded/model.py`), the slow shelf of the "
        "archive is a pause, and times are those of the training itself, without what other "
        "processes take from it. The NaN is in the data: one residue has no coordinates, and its "
        "mask does not say so. What is compared is the best checkpoint of each training on chains "
        "that nothing has seen (`test`), since the last weights of the baseline are no numbers."
    ),
    baseline=baseline,
    training="examples.diffold_guarded.train:train",
    faults=("non-finite", "out-of-memory", "slow-batch"),
    metric="test/lddt",
    targets=Path(__file__).with_name("targets.toml"),
)
