"""Settings of what watches a training: guard, health, validation, early stopping, debug lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainlens_torch.config.setting import Section, names, number, switch, text, whole, word

__all__ = [
    "DebugSettings",
    "EarlyStoppingSettings",
    "GuardSettings",
    "HealthSettings",
    "LoggingSettings",
    "ValidationSettings",
]


@dataclass(frozen=True)
class GuardSettings(Section):
    """Updates that are skipped; `TrainingConfig.guard_for` makes it."""

    title: ClassVar[str] = "guard"

    skip_nonfinite: bool = switch(True, "skip updates whose gradient or loss is not finite")
    max_norm: float | None = number(None, "norm of gradients beyond which is skipped", above=True)
    z: float | None = number(None, "the same, in spreads above the usual norm", above=True)
    warmup: int = whole(100, "updates before z acts", unit="updates")
    box: int = whole(0, "last updates that a black box keeps", unit="updates", low=0)


@dataclass(frozen=True)
class HealthSettings(Section):
    """A check-up of the model; `TrainingConfig.health_check` makes it."""

    title: ClassVar[str] = "health"

    enabled: bool = switch(True, "look at gradients, updates, activations and rates")
    every: int = whole(100, "updates between two looks", unit="updates")
    window: int = whole(100, "losses that are kept")
    loss: float = number(10.0, "how many times its recent median a loss may be")
    variance: float = number(0.001, "variance of the losses below which they stand still")
    gradient: float = number(100.0, "largest norm of all gradients")
    vanishing: float = number(1e-7, "smallest norm of all gradients")
    dead: float = number(0.5, "largest share of dead units of a layer", high=1.0)
    saturated: float = number(0.5, "largest share of saturated activations", high=1.0)


@dataclass(frozen=True)
class ValidationSettings(Section):
    """When and on what is evaluated; `TrainingConfig.evaluation` makes a plan of it."""

    title: ClassVar[str] = "validation"

    every_steps: int | None = whole(None, "updates between evaluations", unit="updates")
    samples: int | None = whole(None, "samples of an evaluation; all without it", unit="samples")
    on_train_batch: bool = switch(False, "evaluate one training batch as well, as a check")
    metric: str = text("loss", "measure of quality to judge by")
    seed: int | None = whole(
        42, "order of the validation data; other samples in each evaluation without it", low=0,
        optional=True, logged="val_seed",
    )  # fmt: skip


@dataclass(frozen=True)
class EarlyStoppingSettings(Section):
    """When a training is given up; `early_stop` and `watched` of `TrainingConfig` follow it."""

    title: ClassVar[str] = "early_stopping"

    patience: int | None = whole(
        None, "evaluations without improvement; never without it", unit="evaluations"
    )
    monitor: str = text("val/loss", "series to watch, split/metric")
    mode: str = word("min", "whether lower or higher is better", "min", "max")
    min_delta: float = number(0.0, "smallest improvement that counts", unit="that of the series")


@dataclass(frozen=True)
class LoggingSettings(Section):
    """What is recorded; `logger`, `system_monitor` and `gradient_stats` follow it."""

    title: ClassVar[str] = "logging"

    sinks: tuple[str, ...] = names(("jsonl",), "where it goes: jsonl, tensorboard, aim, text, csv")
    every: int = whole(10, "updates between two records", unit="updates")
    sync: bool = switch(False, "write before log returns")
    anomalies: str = word("default", "limits of anomalies", "off", "default", "seed")
    system_every: float = number(10.0, "seconds between readings of the machine; 0: none", unit="s")
    data_time: bool = switch(False, "log the time that steps wait for data")
    gradient_norm: bool = switch(False, "log the gradient norm")
    gradients: str = word("total", "of what gradient norms are logged", "total", "layers")


@dataclass(frozen=True)
class DebugSettings(Section):
    """What helps to find a fault; `debugging`, `debug_batch` and `finished` follow it."""

    title: ClassVar[str] = "debug"

    detect_anomaly: bool = switch(False, "name the operation that made the first bad value; slow")
    batches: int = whole(0, "first updates of which classes and gradients are printed", low=0)
    max_updates: int | None = whole(None, "updates after which it ends", unit="updates")
