"""Every setting that a patch may hold: the vocabulary of trainlens_torch's configuration.

A patch names settings by dotted names. This file says what each means, which values it takes, and
to which part of the companion it belongs; prescriptions use no other name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["VOCABULARY", "Setting", "problem"]


@dataclass(frozen=True)
class Setting:
    """A setting of a training.

    Parameters
    ----------
    kind : str
        ``number`` (above 0), ``share`` (0 to 1), ``count`` (whole, 1 or more), ``step`` (whole),
        ``steps`` (first and last step), ``switch``, ``word``, or ``words`` (a list).
    meaning : str
        What it does, and its unit.
    config : str
        The part of trainlens_torch that it sets.
    choices : tuple of str
        Of a word, all that it may be; empty where any will do.
    """

    kind: str
    meaning: str
    config: str
    choices: tuple[str, ...] = ()


VOCABULARY: dict[str, Setting] = {
    "optimizer.lr": Setting("number", "peak learning rate", "TrainingConfig.optimizer.lr"),
    "lr.scale": Setting(
        "number", "factor on every learning rate, where the log does not have it",
        "TrainingConfig.optimizer.lr",
    ),
    "optimizer.weight_decay": Setting(
        "number", "decoupled weight decay of AdamW", "TrainingConfig.optimizer.weight_decay"
    ),
    "optimizer.beta2": Setting(
        "share", "memory of the second moments", "TrainingConfig.optimizer.beta2"
    ),
    "groups.clip_backbone": Setting(
        "number", "learning rate of this group as a factor of the base", "parameter_groups"
    ),
    "groups.scale": Setting(
        "number", "factor on the learning rate of the layers named", "parameter_groups"
    ),
    "groups.layers": Setting("words", "names of the layers of groups.scale", "parameter_groups"),
    "scheduler.kind": Setting(
        "word", "form of the schedule after the warmup", "Scheduler",
        ("constant", "linear", "cosine", "cosine-restarts", "polynomial", "exponential", "step",
         "inverse-sqrt", "warmup-stable-decay", "one-cycle"),
    ),
    "scheduler.warmup_steps": Setting("count", "steps of linear warmup", "LinearWarmup.warmup"),
    "scheduler.warmup_start": Setting(
        "share", "first learning rate of the warmup as a share of the peak", "LinearWarmup.start"
    ),
    "scheduler.rewarm_steps": Setting(
        "count", "steps of warmup after each change of the data", "Chain of LinearWarmup"
    ),
    "scheduler.total_steps": Setting("count", "steps that the schedule spans", "Clock.total"),
    "scheduler.floor": Setting(
        "share", "learning rate at the end as a share of the peak", "Cosine.end"
    ),
    "plateau.patience": Setting(
        "count", "epochs without improvement before the learning rate falls",
        "AdaptiveLRManager.patience",
    ),
    "plateau.factor": Setting(
        "share", "factor of each fall on a plateau", "AdaptiveLRManager.factor"
    ),
    "plateau.min_lr": Setting(
        "number", "learning rate below which no plateau takes it", "AdaptiveLRManager.min_lr"
    ),
    "gradient.clip_norm": Setting(
        "number", "limit of the total gradient norm", "UpdateGuard.clip_norm"
    ),
    "guard.skip_nonfinite": Setting(
        "switch", "skip and log updates with a gradient that is not finite",
        "UpdateGuard.skip_nonfinite",
    ),
    "guard.out_of_memory": Setting(
        "word", "what to do when memory runs out", "UpdateGuard.out_of_memory", ("skip", "halve"),
    ),
    "precision": Setting(
        "word", "type that the model computes in", "TrainingConfig.precision.compute",
        ("fp32", "tf32", "bf16", "fp16"),
    ),
    "precision.master": Setting(
        "word", "type of the weights that the optimizer holds", "TrainingConfig.precision.master",
        ("float32",),
    ),
    "sampler": Setting(
        "word", "how batches are drawn", "StratifiedBatchSampler", ("stratified", "random"),
    ),
    "freeze": Setting(
        "words", "names of the layers that do not train; none where empty", "ProgressiveFreezing"
    ),
    "batch.size": Setting("count", "samples of a batch on each device", "AdaptiveBatch.size"),
    "batch.scale": Setting(
        "number", "factor on the batch, where the log does not have it", "AdaptiveBatch.size"
    ),
    "batch.accumulation": Setting(
        "count", "batches of one update", "AdaptiveBatch.accumulation"
    ),
    "data.skip_steps": Setting(
        "steps", "first and last step whose batches are left out", "seeded_loader"
    ),
    "data.reshuffle": Setting("switch", "another order in every epoch", "seeded_loader"),
    "data.normalize": Setting(
        "switch", "inputs of mean 0 and standard deviation 1", "TrainingConfig.data.normalize"
    ),
    "loader.prefetch": Setting("count", "batches held ready", "Prefetcher.depth"),
    "loader.workers": Setting("count", "processes that load data", "seeded_loader"),
    "resume.before_step": Setting(
        "step", "go on from the last checkpoint before this step", "Checkpointer"
    ),
    "resume.full_state": Setting(
        "switch", "restore optimizer, scheduler, scaler, data position and random state",
        "Checkpointer.full_state",
    ),
    "resume.scheduler": Setting(
        "switch", "restore the state of the scheduler", "Checkpointer.scheduler"
    ),
    "checkpoint.step": Setting("step", "the checkpoint to use", "Checkpointer"),
    "early_stopping.monitor": Setting("word", "series to watch, split/metric", "EarlyStopping"),
    "early_stopping.mode": Setting(
        "word", "whether lower or higher is better", "EarlyStopping.mode", ("min", "max"),
    ),
    "early_stopping.patience": Setting(
        "count", "evaluations without improvement before it stops", "EarlyStopping.patience"
    ),
    "validation.every_steps": Setting(
        "count", "steps between evaluations", "TrainingConfig.validation.every_steps"
    ),
    "validation.samples": Setting(
        "count", "samples of an evaluation", "TrainingConfig.validation.samples"
    ),
    "validation.on_train_batch": Setting(
        "switch", "evaluate one training batch as well, as a check", "HealthCheck"
    ),
    "val_seed": Setting("step", "seed of the order of the validation data", "seeded_loader.seed"),
    "dropout.target": Setting(
        "share", "dropout rate after its warmup", "ProgressiveDropout.target"
    ),
    "dropout.start": Setting("step", "first step with dropout", "ProgressiveDropout.start_step"),
    "metric": Setting("word", "measure of quality to judge by", "TrainingConfig.validation.metric"),
    "loss.class_weights": Setting(
        "word", "weights of the classes in the loss", "TrainingConfig.loss.class_weights",
        ("inverse",),
    ),
    "loss.largest_weight": Setting(
        "number", "largest weight that a class may get", "TrainingConfig.loss.largest_weight"
    ),
    "loss.label_smoothing": Setting(
        "share", "share of the label that is spread over all classes",
        "TrainingConfig.loss.label_smoothing",
    ),
    "clip_loss.coverage_threshold": Setting(
        "share", "coverage below which the consistency loss fades", "CLIPConsistencyLoss"
    ),
    "clip_loss.soft_gate": Setting(
        "switch", "fade with coverage instead of switching off", "CLIPConsistencyLoss"
    ),
    "clip_loss.warmup_end_progress": Setting(
        "share", "share of the training at which the consistency loss sets in",
        "CLIPConsistencyLoss",
    ),
    "clip_loss.ramp_duration_progress": Setting(
        "share", "share of the training over which its weight rises", "CLIPConsistencyLoss"
    ),
    "clip_loss.gradient_flow_ratio": Setting(
        "share", "gradient of the consistency loss that reaches the protected side",
        "CLIPConsistencyLoss",
    ),
    "alpha_diversity.weight": Setting("number", "weight of the diversity term", "AlphaDiversity"),
    "gate.temperature": Setting("number", "temperature of the fusion gate", "AlphaDiversity"),
    "model.init": Setting(
        "word", "initialisation of the weights", "TrainingConfig.model.init",
        ("kaiming", "xavier", "orthogonal", "default"),
    ),
    "model.activation": Setting(
        "word", "activation of the hidden layers", "TrainingConfig.model.activation"
    ),
    "model.norm": Setting(
        "word", "normalisation before the activations", "TrainingConfig.model.norm"
    ),
    "model.branch_scale": Setting(
        "number", "initial scale of residual branches", "TrainingConfig.model.branch_scale"
    ),
    "record.data_time": Setting("switch", "log the time that steps wait for data", "RunLogger"),
    "record.gradient_norm": Setting("switch", "log the gradient norm of each step", "RunLogger"),
    "record.gradients": Setting(
        "word", "of what gradient norms are logged", "RunLogger", ("total", "layers"),
    ),
    "debug.detect_anomaly": Setting(
        "switch", "name the operation that made the first bad value; slow", "HealthCheck"
    ),
}  # fmt: skip
"""Settings by dotted name."""


def problem(key: str, value: Any) -> str:
    """What is wrong with a setting of a patch, empty where nothing is.

    Parameters
    ----------
    key : str
    value : Any

    Examples
    --------
    >>> problem("optimizer.lr", 3e-4), problem("optimizer.lr", -1)
    ('', 'optimizer.lr: -1 is no number above 0')
    """
    known = VOCABULARY.get(key)
    if known is None:
        return f"{key}: no such setting"
    if not _KINDS[known.kind][1](value):
        return f"{key}: {value!r} is no {_KINDS[known.kind][0]}"
    if known.choices and value not in known.choices:
        return f"{key}: {value!r} is none of {', '.join(known.choices)}"
    return ""


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "number": ("number above 0", lambda v: _real(v) and v > 0),
    "share": ("share between 0 and 1", lambda v: _real(v) and 0 <= v <= 1),
    "count": ("whole number of 1 or more", lambda v: _whole(v) and v >= 1),
    "step": ("whole number", _whole),
    "steps": (
        "list of a first and a last step",
        lambda v: isinstance(v, list) and len(v) == 2 and all(map(_whole, v)) and v[0] <= v[1],
    ),
    "switch": ("true or false", lambda v: isinstance(v, bool)),
    "word": ("text", lambda v: isinstance(v, str) and v != ""),
    "words": (
        "list of texts",
        lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    ),
}
