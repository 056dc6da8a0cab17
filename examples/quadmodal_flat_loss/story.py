"""What the team saw, and what it wants to see.

Of what is prescribed the sampler alone would do, and so would the other normalisation without it;
both are in `tests/examples`. The warmup does no harm and is not needed here.
"""

from __future__ import annotations

from pathlib import Path

from examples.story import Check, Story
from trainlens_torch.config import TrainingConfig

HERE = "examples.quadmodal_flat_loss"
RATES = ("1e-4", "1e-6", "1e-10")
TOLD = """\
Four sensors look at handwritten digits; four encoders, whose features are put together and
normalised over the batch, are to tell six classes apart. The loss stays at 1.79 from the first
update to the last. The team has tried three learning rates, a million times apart: it stays at
1.79. Nothing is NaN, no layer is frozen, the gradient has a norm of about 1."""


def baseline(short: bool) -> TrainingConfig:
    """The configuration of the team: a sampler of its own, batch norm, a constant rate."""
    return TrainingConfig().changed(
        {
            "optimizer.lr": 1e-4,
            "schedule.kind": "constant",
            "schedule.warmup": 0,
            "schedule.total": 480 if short else 1440,
            "model.norm": "batchnorm",
            "data.sampler": "own",
            "data.workers": 0,
            "data.prefetch": 0,
            "validation.every_steps": 40,
            "logging.every": 4,
        }
    )


STORY = Story(
    title="A loss that stays at ln 6 for any learning rate",
    told=TOLD,
    baseline=baseline,
    training=f"{HERE}.train:train",
    faults=("never-learned", "single-class-batch"),
    metric="val/accuracy",
    targets=Path(__file__).with_name("targets.toml"),
    before=(
        Check(
            ("trainlens-torch", "check-sampler", f"{HERE}.batches:baseline"),
            "The first cause to look at is the sampler. Its batches are counted:",
            code=1,
        ),
        Check(
            ("python", "-m", f"{HERE}.look", "baseline.toml", *RATES),
            "The debug lines of the first two updates say the same, and the other learning rates "
            "do not help:",
        ),
    ),
    after=(
        Check(
            ("trainlens-torch", "check-sampler", f"{HERE}.batches:treated"),
            "The sampler that was prescribed mixes the classes:",
        ),
    ),
)
