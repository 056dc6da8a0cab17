"""What the team saw, how it trained, and what it wants to see.

The consistency loss itself ends higher than before, and the comparison says so: a gate that passes
the image only agrees with the image for nothing. Recordings with a wrong calibration remain until
somebody mends them; what changes is that they count for little and that the laser is there.
"""

from __future__ import annotations

from pathlib import Path

from examples.story import Story
from trainlens_torch.config import TrainingConfig

__all__ = ["STORY", "baseline"]


def baseline(short: bool) -> TrainingConfig:
    """The configuration as it was: everything at full weight and rate from the first update on."""
    return TrainingConfig().changed(
        {
            "optimizer.lr": 3e-3,
            "schedule.total": 320 if short else 640,
            "schedule.warmup": 16,
            "batch.size": 16,
            "clipping.norm": None,
            "guard.skip_nonfinite": False,
            "clip_loss.weight": 0.2,
            "clip_loss.warmup_end_progress": 0.0,
            "clip_loss.ramp_duration_progress": 0.0,
            "clip_loss.coverage_threshold": 0.0,
            "clip_loss.soft_gate": False,
            "clip_loss.gradient_flow_ratio": 1.0,
            "validation.every_steps": 20 if short else 40,
            "validation.metric": "miou",
            "data.workers": 0,
            "data.prefetch": 0,
            "logging.every": 1,
        }
    )


STORY = Story(
    title="A fusion gate that shuts one sensor out",
    told=(
        "Points of rooms are told apart by what a laser measures of them and by what a camera "
        "shows where they project into its image; a learned gate alpha mixes the two. The team "
        "sees a mean IoU that stops at 0.63 within the first epoch, and a loss that jumps to four "
        "times its level now and then and comes back. More epochs do not help."
    ),
    baseline=baseline,
    training="examples.bifusion_clip.train:train",
    faults=("polarized-gate", "low-coverage", "loss-spike"),
    metric="val/miou",
    targets=Path(__file__).with_name("targets.toml"),
    besides={
        "groups.ratios": {"clip_backbone": 0.1, "clip_heads": 0.2},
        "freezing.stages": {"clip_backbone": 0.1},
    },
    besides_because=(
        "Which layers came pretrained no log can tell. The team knows, and spares them: a tenth "
        "and a fifth of the learning rate, and none at all for the backbone in the first tenth. "
        "(It is a precaution: what was prescribed does as well without it here.)"
    ),
)
