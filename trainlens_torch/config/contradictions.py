"""Settings that do not go together, and settings without effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.place import place

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

__all__ = ["check", "idle"]


def check(config: TrainingConfig) -> None:
    """Refuse what contradicts itself.

    Raises
    ------
    UsageError
        One line: the settings, their values, and the way out. Of several contradictions the first.
    """
    for ask in (_updates, _schedule, _rates, _data, _guard, _memory, _steps, _parts):
        for told in ask(config):
            raise UsageError(told)


def _updates(config: TrainingConfig) -> Iterator[str]:
    batch = config.batch
    product = batch.size * batch.accumulation
    if batch.effective is not None and batch.effective != product:
        yield (
            f"batch.effective is {batch.effective}, but batch.size {batch.size} x "
            f"batch.accumulation {batch.accumulation} is {product}; change one of them"
        )
    if config.groups.ratios.get("rest") is not None:
        yield "groups.ratios names 'rest'; its factor is groups.rest"


def _schedule(config: TrainingConfig) -> Iterator[str]:
    own = config.schedule
    if own.total is not None:
        with suppress(ValueError):  # of what only an epoch's length can tell, the clock decides
            if Clock(own.total).share(own.warmup) > 1:
                yield (
                    f"schedule.warmup {own.warmup} is longer than schedule.total {own.total}; "
                    "shorten it"
                )
        if place(own.total).unit == "dur" or not place(own.total).value:
            yield (
                f'schedule.total is a length such as 10000 or "30ep", not {own.total!r}; '
                "write a unit"
            )
    if own.kind == "inverse-sqrt" and not place(own.warmup).value:
        yield "schedule.kind inverse-sqrt needs a schedule.warmup above 0"
    if own.kind == "exponential" and own.floor == 0:
        yield "schedule.kind exponential never reaches a schedule.floor of 0; raise the floor"
    if own.kind == "step" and not own.at:
        yield "schedule.kind step needs places in schedule.at"


def _rates(config: TrainingConfig) -> Iterator[str]:
    own = config.adaptive_lr
    if own.mode == "off":
        return
    if own.min_lr >= config.optimizer.lr:
        yield (
            f"adaptive_lr.min_lr {own.min_lr:g} is not below optimizer.lr "
            f"{config.optimizer.lr:g}; lower it"
        )
    if own.mode == "robust" and own.window < 8:
        yield f"adaptive_lr.mode robust needs an adaptive_lr.window of 8 or more, not {own.window}"
    for name in ("decay", "factor"):
        if getattr(own, name) == 1.0:
            yield f"adaptive_lr.{name} must be below 1, not 1"


def _data(config: TrainingConfig) -> Iterator[str]:
    own = config.data
    if own.prefetch and not own.workers:
        yield (
            f"data.prefetch {own.prefetch} needs data.workers of 1 or more; set workers, or "
            "data.prefetch=0"
        )


def _guard(config: TrainingConfig) -> Iterator[str]:
    asked = {
        "guard.max_norm": config.guard.max_norm is not None,
        "guard.z": config.guard.z is not None,
        "memory.on_oom=skip": config.memory.on_oom == "skip",
    }
    for name, on in asked.items():
        if on and not config.guard.skip_nonfinite:
            yield (
                f"{name} skips updates that are not finite as well, which guard.skip_nonfinite "
                "excludes; set that to true"
            )


def _memory(config: TrainingConfig) -> Iterator[str]:
    own = config.memory
    if own.adaptive_batch and own.on_oom != "split":
        yield (
            f"memory.adaptive_batch needs memory.on_oom=split, not {own.on_oom}: it learns from "
            "batches that did not fit"
        )
    if own.ceiling is not None and own.ceiling < config.batch.size:
        yield f"memory.ceiling {own.ceiling} is below batch.size {config.batch.size}; raise it"


def _steps(config: TrainingConfig) -> Iterator[str]:
    own = config.resume
    if own.step is not None and own.before_step is not None and own.step >= own.before_step:
        yield (
            f"resume.step {own.step} is not before resume.before_step {own.before_step}; "
            "leave one of them out"
        )


def _parts(config: TrainingConfig) -> Iterator[str]:
    gate, loss = config.alpha_diversity, config.loss
    if gate.low >= gate.high:
        yield f"alpha_diversity.low {gate.low:g} is not below alpha_diversity.high {gate.high:g}"
    if loss.pos_weight not in (None, 1.0) and loss.channel_loss != "bce":
        yield f"loss.pos_weight needs loss.channel_loss=bce, not {loss.channel_loss}"


def idle(config: TrainingConfig) -> dict[str, str]:
    """Settings that differ from their defaults and have no effect, with the reason.

    Examples
    --------
    >>> from trainlens_torch.config import TrainingConfig
    >>> idle(TrainingConfig().changed({"adaptive_lr.patience": 9}))
    {'adaptive_lr.patience': 'adaptive_lr.mode is off'}
    """
    changed = config.differences()
    return {path: why for path, why in _without_effect(config) if path in changed}


def _without_effect(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    if config.adaptive_lr.mode == "off":
        yield from _of(config.adaptive_lr, "adaptive_lr.mode is off", "mode")
    if not config.health.enabled:
        yield from _of(config.health, "health.enabled is false", "enabled")
    if config.early_stopping.patience is None:
        yield from _of(config.early_stopping, "early_stopping.patience is none")
    if config.dropout.target is None:
        yield from _of(config.dropout, "dropout.target is none")
    if not config.schedule.rewarm_at:
        yield "schedule.rewarm_steps", "schedule.rewarm_at names no place where the data change"
    if not config.schedule.rewarm_steps:
        yield "schedule.rewarm_at", "schedule.rewarm_steps is 0"
    if config.schedule.kind in ("constant", "step", "inverse-sqrt"):
        yield "schedule.floor", f"schedule.kind is {config.schedule.kind}"
    if not config.model.branches:
        yield "model.branch_scale", "model.branches names no layer"
    elif config.model.branch_scale is None:
        yield "model.branches", "model.branch_scale is none"
    if config.loss.class_weights == "none":
        yield "loss.largest_weight", "loss.class_weights is none"
    if config.alpha_diversity.weight == 0:
        for name in ("low", "high"):
            yield f"alpha_diversity.{name}", "alpha_diversity.weight is 0"
    if config.clipping.z is None:
        for name in ("decay", "warmup"):
            yield f"clipping.{name}", "clipping.z is none"
    if not config.memory.adaptive_batch:
        yield "memory.ceiling", "memory.adaptive_batch is false"
    if config.guard.z is None:
        yield "guard.warmup", "guard.z is none"


def _of(section: Any, why: str, but: str = "") -> Iterator[tuple[str, str]]:
    for name in vars(section):
        if name != but:
            yield f"{section.title}.{name}", why
