"""What a diagnosis of each sample run must say, and what it must not.

Written from what was done to each training, not from what a tool answers. Names are rules that
fail at severity ``warning`` or above; patterns stand for run names.
"""

from __future__ import annotations

import json
from pathlib import Path

# Faults that none of these trainings has, whatever else is wrong with it.
NEVER = (
    "class-imbalance",
    "dead-relu",
    "frozen-parameters",
    "log-damage",
    "low-coverage",
    "lr-jump",
    "memory-pressure",
    "missing-warmup",
    "out-of-memory",
    "plan-deviation",
    "polarized-gate",
    "premature-lr-decay",
    "saturated-activation",
    "slow-batch",
    "step-rewind",
    "unchanged-parameters",
    "update-ratio",
)
# Faults of optimisation; a run has them only where its script provokes them.
OPTIMISATION = (
    "divergence",
    "gradient-explosion",
    "gradient-vanishing",
    "loss-spike",
    "never-learned",
    "non-finite",
    "overfitting",
    "single-class-batch",
    "stagnation",
)
VALIDATION = ("gap-growth", "validation-jump", "validation-noise")

Expectation = dict[str, list[str]]


def _expect(must: tuple[str, ...] = (), besides: tuple[str, ...] = ()) -> Expectation:
    """All faults but `must` are wrong, and those in `besides` may be there or not."""
    free = {*must, *besides}
    barred = [rule for rule in (*NEVER, *OPTIMISATION, *VALIDATION) if rule not in free]
    return {"must": sorted(must), "must_not": sorted(barred)}


# Each validation of the fixed-dropout run draws other poses, so it may well be called noisy.
# Where dropout sets in, at step 10 000, the training loss steps up; a rule may see that.
_POSE = {
    "*fixed-dropout*": _expect(besides=VALIDATION),
    "*progressive-dropout*": _expect(besides=("loss-spike",)),
}

EXPECTED: dict[str, dict[str, Expectation]] = {
    "handpose_aim": _POSE,
    "handpose_text": _POSE,
    "healthy_jsonl": {"*": _expect()},
    # Memorised within 500 steps, the training loss ends at zero, its gradient with it.
    "overfitting_tensorboard": {
        "*": _expect(
            ("overfitting",), (*VALIDATION, "gradient-vanishing", "stagnation", "missing-warmup")
        )
    },
    "diverging_jsonl": {
        # The slow rise before the overflow and the overflow itself are one fault seen twice.
        "*ends_in_nan*": _expect(
            ("non-finite",), ("divergence", "gradient-explosion", "loss-spike", "stagnation")
        ),
        "*climbs*": _expect(
            ("divergence",), ("gradient-explosion", "loss-spike", "stagnation", "lr-jump")
        ),
    },
    "fusion_jsonl": {
        "*as_it_was*": _expect(("polarized-gate", "low-coverage", "loss-spike")),
        "*treated*": _expect(),
    },
    # The archive has one corrupt entry, which costs the treated training one update.
    "structures_jsonl": {
        "*as_it_was*": _expect(("non-finite", "out-of-memory", "slow-batch")),
        "*treated*": _expect(),
    },
    "emitters_tensorboard": {
        "*as_it_was*": _expect(
            ("never-learned", "poor-initialization", "premature-lr-decay"),
            ("stagnation", "gradient-vanishing"),
        ),
        "*treated*": _expect(),
    },
    # By step the log also tells that each batch held one class; by epoch it does not.
    "flat_loss_text": {
        "*one_class_batches": _expect(
            ("never-learned", "single-class-batch"), ("stagnation", "class-imbalance")
        ),
        "*one_class_batches_epochs": _expect(("never-learned",), ("stagnation",)),
    },
}


def write_expectations(folder: Path) -> None:
    """Put ``expected.json`` into each folder of sample runs."""
    for name, runs in EXPECTED.items():
        text = json.dumps({"runs": runs}, indent=2) + "\n"
        (folder / name / "expected.json").write_text(text, encoding="utf-8")
