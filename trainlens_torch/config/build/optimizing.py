"""Optimizer, clock, schedule, scheduler, and what else decides about an update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainlens.errors import UsageError
from trainlens_torch.adaptive import AdaptiveLRManager
from trainlens_torch.clock import Clock
from trainlens_torch.place import Place, PlaceLike, place
from trainlens_torch.schedules import (
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Custom,
    Exponential,
    InverseSqrt,
    Linear,
    LinearWarmup,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    WarmupStableDecay,
)

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from trainlens_torch.config import TrainingConfig
    from trainlens_torch.gradients import Accumulation, AdaptiveClip
    from trainlens_torch.scheduler import Part, Scheduler

_WITH_WARMUP = ("inverse-sqrt", "warmup-stable-decay", "one-cycle")


def optimizer_for(config: TrainingConfig, model: nn.Module) -> Optimizer:
    """The optimizer of a model, with its parameter groups."""
    from trainlens_torch.groups import parameter_groups
    from trainlens_torch.optimizers import make_optimizer

    own, groups = config.optimizer, config.groups
    listed = parameter_groups(
        model,
        own.lr,
        dict(groups.ratios),
        own.weight_decay,
        no_decay=groups.no_decay,
        layer_decay=groups.layer_decay,
        rest=groups.rest,
    )
    plain = make_optimizer(own.name, listed, weight_decay=own.weight_decay)
    options = _options(config, plain.defaults)
    if not options:
        return plain
    return make_optimizer(own.name, listed, weight_decay=own.weight_decay, **options)


def _options(config: TrainingConfig, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were asked for; what is not stays the class's own."""
    own = config.optimizer
    out: dict[str, Any] = {}
    for name in ("eps", "momentum"):
        if (value := getattr(own, name)) is not None:
            _refuse_unless(name in defaults, config, name)
            out[name] = value
    if own.beta1 is not None or own.beta2 is not None:
        betas = defaults.get("betas")
        missing = "beta1" if own.beta1 is not None else "beta2"
        _refuse_unless(isinstance(betas, tuple) and len(betas) >= 2, config, missing)
        first, second, *others = betas or (0.9, 0.999)
        out["betas"] = (
            first if own.beta1 is None else own.beta1,
            second if own.beta2 is None else own.beta2,
            *others,
        )
    return out


def _refuse_unless(there: bool, config: TrainingConfig, name: str) -> None:
    if not there:
        raise UsageError(
            f"optimizer.{name}: {config.optimizer.name} has none; leave it out, or name another "
            "optimizer"
        )


def clock(config: TrainingConfig, total: PlaceLike | None, updates_per_epoch: int | None) -> Clock:
    """The clock of a training.

    Raises
    ------
    UsageError
        No length is set, or two different ones are.
    """
    told = config.schedule.total
    if told is not None and total is not None and place(told) != place(total):
        raise UsageError(
            f"schedule.total is {told}, and config.clock() was to be {total} long: leave one out"
        )
    length = told if total is None else total
    if length is None:
        raise UsageError(
            'schedule.total is not set; set it, or give the clock a length: config.clock("30ep")'
        )
    return Clock(
        length, updates_per_epoch=updates_per_epoch, accumulation=config.batch.accumulation
    )


def lr_schedule(config: TrainingConfig, clock: Clock) -> Schedule:
    """The course of the learning rate as a factor of its peak."""
    own = config.schedule
    main = _main(config)
    if own.kind not in _WITH_WARMUP and place(own.warmup).value:
        main = Chain(LinearWarmup(own.warmup, own.warmup_start), main)
    if not own.rewarm_at or not own.rewarm_steps:
        return main
    starts = tuple(clock.share(one) for one in own.rewarm_at)
    length = clock.share(Place(float(own.rewarm_steps), "ba"))
    return Custom(Rewarmed(main.resolved(clock.share), starts, length), "rewarmed")


def _main(config: TrainingConfig) -> Schedule:
    """What comes after the warmup, or has one of its own."""
    own = config.schedule
    made: dict[str, Any] = {
        "constant": lambda: Constant(),
        "linear": lambda: Linear(end=own.floor),
        "cosine": lambda: Cosine(end=own.floor),
        "cosine-restarts": lambda: CosineRestarts(own.cycles, end=own.floor),
        "polynomial": lambda: Polynomial(own.power, own.floor),
        "exponential": lambda: Exponential(own.floor),
        "step": lambda: Step(own.at, own.gamma),
        "inverse-sqrt": lambda: InverseSqrt(own.warmup),
        "warmup-stable-decay": lambda: WarmupStableDecay(own.warmup, own.decay, own.floor),
        "one-cycle": lambda: OneCycle(own.warmup, own.warmup_start, own.floor),
    }
    found: Schedule = made[own.kind]()
    return found


@dataclass(frozen=True)
class Rewarmed:
    """A schedule that begins low again at some places, and rises over a length.

    Parameters
    ----------
    schedule : Schedule
        Resolved.
    starts : tuple of float
        Shares of the training.
    length : float
        Of each rise, as a share.
    """

    schedule: Schedule
    starts: tuple[float, ...]
    length: float

    def __call__(self, p: float) -> float:
        """Factor at a share of the training."""
        since = [p - start for start in self.starts if p >= start]
        rise = min(min(since) / self.length, 1.0) if since else 1.0
        return rise * self.schedule(p)


def scheduler(
    config: TrainingConfig,
    optimizer: Optimizer,
    clock: Clock,
    model: nn.Module | None,
    parts: Sequence[Part],
    /,
    **more: Any,
) -> Scheduler:
    """The scheduler, with dropout, freezing and the adaptive manager where they are asked for."""
    from trainlens_torch.scheduler import Scheduler

    adaptive = more.pop("adaptive", None) or adaptive_manager(config)
    own = _parts(config, clock, model)
    return Scheduler(
        optimizer,
        clock,
        parts=[*own, *parts],
        adaptive=adaptive,
        **{"lr": lr_schedule(config, clock), **more},
    )


def _parts(config: TrainingConfig, clock: Clock, model: nn.Module | None) -> list[Any]:
    from trainlens_torch.dropout import ProgressiveDropout
    from trainlens_torch.freeze import ProgressiveFreezing

    dropout, freezing = config.dropout, config.freezing
    asked = [name for name, on in (
        ("dropout.target", dropout.target is not None), ("freezing.stages", bool(freezing.stages)),
    ) if on]  # fmt: skip
    if not asked:
        return []
    if model is None:
        raise UsageError(f"{asked[0]} needs the model: config.scheduler(optimizer, clock, model)")
    out: list[Any] = []
    if freezing.stages:
        norms: Any = freezing.norms
        out.append(ProgressiveFreezing(model, freezing.stages, norms=norms))
    if dropout.target is not None:
        # A share is a place here, and a number of steps there.
        start, ramp = (str(place(one)) for one in (dropout.start, dropout.ramp))
        try:
            part = ProgressiveDropout(
                model, dropout.target, start, ramp, total=clock, extra=dropout.extra
            )
        except ValueError as error:
            raise UsageError(f"dropout.target: {error}; leave it out") from None
        out.append(part)
    return out


def adaptive_manager(config: TrainingConfig) -> AdaptiveLRManager | None:
    """The manager of the learning rate; None where it is off."""
    own = dict(vars(config.adaptive_lr))
    if own["mode"] == "off":
        return None
    return AdaptiveLRManager(config.optimizer.lr, **own)


def accumulation_for(
    config: TrainingConfig, model: nn.Module, clock: Clock | None, scaler: Any
) -> Accumulation:
    """What adds up the gradients of the micro-batches of an update."""
    from trainlens_torch.gradients import Accumulation

    expected = float(config.batch.size)
    steps = config.batch.accumulation
    return Accumulation(model, clock=clock, steps=steps, expected=expected, scaler=scaler)


def adaptive_clip(config: TrainingConfig) -> AdaptiveClip | None:
    """Clipping at what is usual; None where no `z` is set."""
    from trainlens_torch.gradients import AdaptiveClip

    own = config.clipping
    if own.z is None:
        return None
    return AdaptiveClip(z=own.z, decay=own.decay, warmup=own.warmup, max_norm=own.norm)
