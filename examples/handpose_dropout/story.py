"""What the team saw, and what it wants to see."""

from __future__ import annotations

from pathlib import Path

from examples.story import Story
from trainlens_torch.config import TrainingConfig


def baseline(short: bool) -> TrainingConfig:
    """Dropout from the first step; each evaluation draws six recordings of its own."""
    return TrainingConfig().changed(
        {
            "optimizer.lr": 2e-3,
            "schedule.total": 1000 if short else 2000,
            "clipping.norm": None,
            "batch.size": 32,
            "dropout.target": 0.1,
            "dropout.start": 0,
            "validation.seed": None,
            "validation.samples": 6,
            "validation.every_steps": 25 if short else 50,
            "validation.metric": "mpjpe",
            "data.workers": 0,
            "data.prefetch": 0,
            "logging.every": 10 if short else 20,
            "logging.sinks": ["jsonl", "aim", "text"],
        }
    )


STORY = Story(
    title="Hand poses: was it the dropout, or which hands were drawn?",
    told=(
        "A network tells 3-D hand poses from 2-D keypoints. From one evaluation to the next its "
        "error leaps up and down by a quarter, and it lies far behind that of training from the "
        "start. The team suspects the dropout, which acts from the first step. Each evaluation "
        "draws six recordings of the validation data anew. A benchmark of other recordings, "
        "`test`, is the same for all runs: the verdict is given there."
    ),
    baseline=baseline,
    training="examples.handpose_dropout.train:train",
    faults=("validation-noise",),
    notes=("gap-growth",),
    metric="test/mpjpe",
    # Late dropout is ahead until it sets in, loses that at once, and ends where the other does.
    verdict="indistinguishable",
    at=(0.075, 0.15, 0.175, 1.0),
    targets=Path(__file__).with_name("targets.toml"),
)
