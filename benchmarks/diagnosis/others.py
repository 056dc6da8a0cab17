"""What other diagnosers call the faults, and how their findings are scored.

The mapping is generous: a check is right about a run if it could mean its fault, wherever it
points, and whatever severity it has; only what it calls a warning or an error can be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.diagnosis.labelled import HEALTHY, Labelled
from benchmarks.diagnosis.score import Outcome

_SPIKE = ("loss-spike", "outlier")
_STOPPED = ("stagnation", "never-learned", "premature-lr-decay", "frozen-parameters")
_TURNED = ("overfitting", "gap-growth", "validation-jump")
_BLOWN = ("divergence", "non-finite")
_SLOW = ("throughput-drop", "slow-batch", "stalled-log")
_RATE = ("lr-jump", "missing-warmup", "premature-lr-decay", "plan-deviation")
_NORM = ("gradient-explosion",)
_GONE = ("gradient-vanishing", "frozen-parameters")

MEANING: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "trainspotter": {
        "spikes": _SPIKE, "divergence": _BLOWN, "plateau": _STOPPED, "overfitting": _TURNED,
        "grad_norm": (*_NORM, *_GONE), "lr_schedule": _RATE, "throughput": _SLOW,
        "eval_noise": ("validation-noise", "validation-jump"),
    },
    "runmedic": {
        "loss_spikes": _SPIKE, "divergence": _BLOWN, "non_finite": _BLOWN, "no_learning": _STOPPED,
        "constant_lr_plateau": _STOPPED, "overfitting": _TURNED, "grad_spikes": _NORM,
        "slow_steps": _SLOW, "slowdown": _SLOW, "input_bound": _SLOW,
        "memory_growth": ("memory-pressure", "out-of-memory"),
    },
    "losslint": {
        "loss_spike": _SPIKE, "divergence": _BLOWN, "nan_inf": _BLOWN, "stagnation": _STOPPED,
        "overfit_onset": _TURNED, "step_backtrack": ("step-rewind",),
    },
    "trainproof": {
        "TP-NAN": _BLOWN, "TP-NAN-GRAD": (*_BLOWN, *_NORM), "TP-DIVERGE": _BLOWN,
        "TP-DEAD-RUN": (*_STOPPED, *_GONE), "TP-FLAT": (*_STOPPED, *_GONE),
        "TP-NEG-IMPROVE": (*_STOPPED, *_BLOWN), "TP-OVERFIT": _TURNED, "TP-GRAD-SPIKE": _NORM,
        "TP-ZERO-GRAD": _GONE, "TP-ZERO-LR": _RATE, "TP-ZERO-LR-PARTIAL": _RATE,
        "TP-STEP-CLIFF": _SLOW, "TP-STALL": _SLOW, "TP-THROUGHPUT": _SLOW,
        "TP-LOADER-BOUND": _SLOW,
    },
}  # fmt: skip
"""Checks of each peer, and the rules of ours that say the same or could."""

OF_PROFILES: Mapping[str, tuple[str, ...]] = {
    "loss-not-decreasing": (*_STOPPED, *_BLOWN),
    "overfit": _TURNED,
    "overtraining": (*_TURNED, "stagnation"),
    "vanishing-gradient": _GONE,
    "exploding-tensor": (*_BLOWN, *_NORM),
    "step-outlier": _SLOW,
    "stalled-training": _SLOW,
}
"""Rules of other profiles that are not named as ours, in the same way."""

COMMON = (
    HEALTHY, "non-finite", "divergence", "slow divergence", "loss-spike", "stagnation",
    "never-learned", "overfitting", "validation-jump", "gradient-explosion", "lr-jump",
    "missing-warmup", "throughput-drop",
)  # fmt: skip
"""Healthy runs, and the twelve kinds that at least one peer has a check for."""


@dataclass(frozen=True)
class Said:
    """A finding of another diagnoser: the rules that it may mean, and whether it warns."""

    means: tuple[str, ...]
    loud: bool
    name: str = ""


def matched(case: Labelled, said: Iterable[Said]) -> Outcome:
    """Outcome of a run by what was said about it, wherever that points."""
    found = list(said)
    right = {rule for s in found for rule in s.means if rule in case.accepted}
    fine = set(case.accepted) | set(case.consequences)
    false = tuple(s.name for s in found if s.loud and not fine & set(s.means))
    labels = len(case.spans)
    points = max((len(s) for s in case.run.series.values()), default=0)
    return Outcome(
        case.kind, case.seed, dict(case.families), case.strength, points, True,
        labels, labels if right else 0, 0, right=tuple(sorted(right)), false=false,
    )  # fmt: skip
