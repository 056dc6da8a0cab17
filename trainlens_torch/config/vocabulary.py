"""What each word of a prescription means for a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainlens.errors import UsageError
from trainlens_torch.checks import number, whole
from trainlens_torch.config.reading import nearest

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

__all__ = ["WORDS", "Asked", "Cannot", "meaning"]


class Cannot(UsageError):
    """A word that this configuration cannot follow; the message says why."""


@dataclass(frozen=True)
class Asked:
    """A word of a prescription with its value.

    Parameters
    ----------
    key : str
    value : Any
    rule : str
        Of the finding that asks for it; empty where that is not said.
    patch, because : mapping
        All words of the same prescription, and the rule of each.
    """

    key: str
    value: Any
    rule: str = ""
    patch: Mapping[str, Any] = field(default_factory=dict)
    because: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = f"{self.key}={self.value}"
        return f"{self.rule} asks for {said}" if self.rule else said


Meaning = Callable[["TrainingConfig", Asked], dict[str, Any]]


def meaning(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """Settings by dotted name that a word asks for; what is relative, against `config`.

    Raises
    ------
    Cannot
        An unknown word, a value that is none, or something that the configuration does not have.
    """
    found = WORDS.get(asked.key)
    if found is None and asked.key.startswith("groups."):
        found = _group
    if found is None:
        raise Cannot(f"there is no such word; {nearest(asked.key, WORDS)}")
    if isinstance(found, str):
        return {found: asked.value}
    try:
        return found(config, asked)
    except (TypeError, ValueError) as error:
        raise Cannot(str(error)) from None


def _lr_scale(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    factor = number(asked.value, asked.key, above=True)
    return {"optimizer.lr": float(f"{config.optimizer.lr * factor:.12g}")}


def _group(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """``groups.NAME``: the factor of a component."""
    name = asked.key.partition(".")[2]
    factor = number(asked.value, asked.key)
    return {"groups.ratios": {**config.groups.ratios, name: factor}}


def _group_scale(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """A factor on the layers that ``groups.layers`` names."""
    factor = number(asked.value, asked.key, above=True)
    for other in ("optimizer.lr", "lr.scale"):
        same = asked.because.get(other) == asked.because.get(asked.key)
        if other in asked.patch and same:
            raise Cannot(f"it is the alternative to {other}, which is applied; both would be twice")
    given = asked.patch.get("groups.layers")
    if not isinstance(given, list | tuple) or not given:
        raise Cannot("it does not say for which layers; set groups.ratios.LAYER by hand")
    now = {name: config.groups.ratios.get(name, config.groups.rest) for name in map(str, given)}
    scaled = {name: float(f"{ratio * factor:.12g}") for name, ratio in now.items()}
    return {"groups.ratios": {**config.groups.ratios, **scaled}}


def _group_layers(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """Belongs to ``groups.scale``."""
    if "groups.scale" not in asked.patch:
        raise Cannot("it says nothing without groups.scale")
    return {}


def _batch_size(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    return _with_size(config, whole(asked.value, asked.key), asked)


def _with_size(config: TrainingConfig, size: int, asked: Asked) -> dict[str, Any]:
    """Another micro-batch; the update stays what it was, where that is wanted and can be."""
    keeps = "batch.accumulation" in asked.patch or config.batch.effective is not None
    samples = config.batch.size * config.batch.accumulation
    out: dict[str, Any] = {"batch.size": size}
    if keeps and samples % size == 0:
        out["batch.accumulation"] = samples // size
    if config.memory.ceiling is not None:
        out["memory.ceiling"] = max(config.memory.ceiling, size)
    return out


def _batch_scale(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """A smaller micro-batch is accumulated to the same update; a larger one is a larger update."""
    factor = number(asked.value, asked.key, above=True)
    size = max(1, round(config.batch.size * factor))
    smaller = Asked("batch.size", size, patch={"batch.accumulation": None})
    return _with_size(config, size, smaller if factor < 1 else asked)


def _accumulation(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    count = whole(asked.value, asked.key)
    if "batch.size" in asked.patch:
        return _with_size(config, whole(asked.patch["batch.size"], "batch.size"), asked) | (
            {} if _divides(config, asked) else {"batch.accumulation": count}
        )
    return {"batch.accumulation": count}


def _divides(config: TrainingConfig, asked: Asked) -> bool:
    samples = config.batch.size * config.batch.accumulation
    return bool(samples % asked.patch["batch.size"] == 0)


def _freeze(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """Layers that do not train from the first update to the last; none where the list is empty."""
    if not isinstance(asked.value, list | tuple):
        raise TypeError(f"freeze must be a list of layers, not {asked.value!r}")
    return {"freezing.stages": {str(name): "1dur" for name in asked.value}}


def _prefetch(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    """Batches that are held ready need a process that loads them."""
    return {"data.prefetch": asked.value, "data.workers": max(config.data.workers, 1)}


def _out_of_memory(config: TrainingConfig, asked: Asked) -> dict[str, Any]:
    ways = {"skip": "skip", "halve": "split"}
    if asked.value not in ways:
        raise ValueError(f"{asked.key} must be one of {', '.join(ways)}, not {asked.value!r}")
    return {"memory.on_oom": ways[asked.value]}


WORDS: dict[str, str | Meaning] = {
    "optimizer.lr": "optimizer.lr",
    "lr.scale": _lr_scale,
    "optimizer.weight_decay": "optimizer.weight_decay",
    "optimizer.beta2": "optimizer.beta2",
    "groups.clip_backbone": _group,
    "groups.scale": _group_scale,
    "groups.layers": _group_layers,
    "scheduler.kind": "schedule.kind",
    "scheduler.warmup_steps": "schedule.warmup",
    "scheduler.warmup_start": "schedule.warmup_start",
    "scheduler.rewarm_steps": "schedule.rewarm_steps",
    "scheduler.total_steps": "schedule.total",
    "scheduler.floor": "schedule.floor",
    "plateau.patience": "adaptive_lr.patience",
    "plateau.factor": "adaptive_lr.factor",
    "plateau.min_lr": "adaptive_lr.min_lr",
    "gradient.clip_norm": "clipping.norm",
    "guard.skip_nonfinite": "guard.skip_nonfinite",
    "guard.out_of_memory": _out_of_memory,
    "precision": "precision.compute",
    "precision.master": "precision.master",
    "sampler": "data.sampler",
    "freeze": _freeze,
    "batch.size": _batch_size,
    "batch.scale": _batch_scale,
    "batch.accumulation": _accumulation,
    "data.skip_steps": "data.skip_steps",
    "data.reshuffle": "data.reshuffle",
    "data.normalize": "data.normalize",
    "loader.prefetch": _prefetch,
    "loader.workers": "data.workers",
    "resume.before_step": "resume.before_step",
    "resume.full_state": "resume.full_state",
    "resume.scheduler": "resume.scheduler",
    "checkpoint.step": "resume.step",
    "early_stopping.monitor": "early_stopping.monitor",
    "early_stopping.mode": "early_stopping.mode",
    "early_stopping.patience": "early_stopping.patience",
    "validation.every_steps": "validation.every_steps",
    "validation.samples": "validation.samples",
    "validation.on_train_batch": "validation.on_train_batch",
    "val_seed": "validation.seed",
    "dropout.target": "dropout.target",
    "dropout.start": "dropout.start",
    "metric": "validation.metric",
    "loss.class_weights": "loss.class_weights",
    "loss.largest_weight": "loss.largest_weight",
    "loss.label_smoothing": "loss.label_smoothing",
    "clip_loss.coverage_threshold": "clip_loss.coverage_threshold",
    "clip_loss.soft_gate": "clip_loss.soft_gate",
    "clip_loss.warmup_end_progress": "clip_loss.warmup_end_progress",
    "clip_loss.ramp_duration_progress": "clip_loss.ramp_duration_progress",
    "clip_loss.gradient_flow_ratio": "clip_loss.gradient_flow_ratio",
    "alpha_diversity.weight": "alpha_diversity.weight",
    "gate.temperature": "alpha_diversity.temperature",
    "model.init": "model.init",
    "model.activation": "model.activation",
    "model.norm": "model.norm",
    "model.branch_scale": "model.branch_scale",
    "record.data_time": "logging.data_time",
    "record.gradient_norm": "logging.gradient_norm",
    "record.gradients": "logging.gradients",
    "debug.detect_anomaly": "debug.detect_anomaly",
}
"""Setting that each word means, or the function that tells."""
