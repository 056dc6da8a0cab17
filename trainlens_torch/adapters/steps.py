"""What every adapter records of an update, once for all of them."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from trainlens_torch.adapters._failure import told
from trainlens_torch.adapters._stepping import (
    bare,
    refuse_scaler,
    refuse_several,
    take_over,
)
from trainlens_torch.adapters._update import Update
from trainlens_torch.bound import names_of
from trainlens_torch.clock import Clock
from trainlens_torch.gradients.norm import gradients, total
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.scheduler import Part, Scheduler
from trainlens_torch.system.times import Times

if TYPE_CHECKING:
    from trainlens_torch.guard import UpdateGuard
    from trainlens_torch.health import HealthCheck
    from trainlens_torch.system import SystemMonitor

__all__ = ["StepRecorder"]

_SPLIT = re.compile(r"^(validation|valid|val|eval)[_/]")
_ENDLESS = 2**62


class StepRecorder:
    """Records the updates of a training, and applies what follows or guards them.

    An adapter calls it at the moments that its framework offers. A record is that of update k,
    from 0: the mean of the losses of its micro-batches, the learning rates it was made at, the norm
    of its gradients before clipping, and its times.

    Parameters
    ----------
    log : RunLogger or path-like
        A path is opened when the training begins and closed when it ends, however it does.
    parts : sequence
        `ProgressiveFreezing`, `ProgressiveDropout`, or your own: applied before the forward pass,
        at the share of the updates that is done. Those of a `Scheduler` go with it instead.
    guard : callable, optional
        Makes an `UpdateGuard` of the optimizer: ``partial(UpdateGuard, clip_norm=1.0)``. It steps
        in the place of the optimizer.
    health : callable, optional
        Makes a `HealthCheck` of model and optimizer: ``partial(HealthCheck, every=100)``.
    system : SystemMonitor, optional
        Yours to close.
    config : mapping, dataclass or namespace, optional
        For the head of the log, where `log` is a path.
    every_rank : bool
        Have every rank write a log (``log.rank1.jsonl``), where `log` is a path; by default
        rank 0 does. A `RunLogger` is written to on every rank that has one.
    clock : callable
        Returns seconds that never go back.
    """

    def __init__(
        self,
        log: RunLogger | str | os.PathLike[str],
        *,
        parts: Sequence[Part] = (),
        guard: Callable[[Optimizer], UpdateGuard] | None = None,
        health: Callable[[nn.Module, Optimizer], HealthCheck] | None = None,
        system: SystemMonitor | None = None,
        config: Any = None,
        every_rank: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._given, self._config, self._every_rank = log, config, every_rank
        self._parts, self._system = tuple(parts), system
        self._make_guard, self._make_health = guard, health
        self._times = Times(clock) if system is None else system.times
        self._waiting: ExitStack | None = None
        self._state: Mapping[str, Any] | None = None
        self._undo = ExitStack()
        self._forget()

    def _forget(self) -> None:
        """Be as before the first training."""
        self.log: RunLogger | None = None
        self.guard: UpdateGuard | None = None
        self.health: HealthCheck | None = None
        self.step = 0
        self._updates: float | None = None
        self._optimizers: list[Optimizer] = []
        self._scheduler: Scheduler | None = None
        self._own: Scheduler | None = None
        self._update: Update | None = None

    def begin(
        self,
        model: nn.Module,
        optimizers: Sequence[Any],
        *,
        step: int = 0,
        updates: float | None = None,
        scheduler: Any = None,
        rank: int = 0,
        record: bool = True,
        look: bool = False,
    ) -> None:
        """Begin a training, whose optimizers are there.

        Parameters
        ----------
        model : Module
        optimizers : sequence of Optimizer
            As the framework has them.
        step : int
            Updates so far.
        updates : float, optional
            Of the whole training.
        scheduler : object, optional
            That of the framework; a `Scheduler` is asked for its plan and what it applies.
        rank : int
        record : bool
            Whether there is a log at all.
        look : bool
            Whether `gradients` is called when the optimizer steps, for frameworks that have no
            moment for it.

        Raises
        ------
        UsageError
            A guard or a check-up for several optimizers, or a guard beside a gradient scaler
            that does not unscale before the step.
        """
        self._forget()
        self.step, self._updates = step, updates
        self._optimizers = [bare(one) for one in optimizers]
        self._scheduler = scheduler if isinstance(scheduler, Scheduler) else None
        self._follow(model, optimizers, look)
        if record:
            self._open(rank)

    def update_begins(self, step: int, epoch: float | None = None) -> None:
        """Begin an update, before the first forward pass of it; `step` updates were made."""
        self.step = step
        if self._own is not None:
            self._own.clock.updates = step
            self._own.apply()
        if self.health is not None:
            self.health.begin(step)
        # Rates are read now: a framework may step its schedulers before the update is recorded.
        self._update = Update(step, epoch, self._rates())

    @property
    def within(self) -> bool:
        """Whether an update has begun that has not ended."""
        return self._update is not None and not self._update.ended

    def seen(self, loss: Tensor) -> None:
        """The loss of a micro-batch before its update, for the guard."""
        if self.guard is not None and self._update is not None:
            self._update.see(loss)

    def losses(self, values: Mapping[str, Any]) -> None:
        """What a micro-batch gave; the mean over those of an update is recorded."""
        if self._update is not None:
            self._update.add(values)

    def gradients(self, optimizer: Any = None, scale: Tensor | float = 1.0) -> None:
        """Look at gradients before they are clipped.

        Parameters
        ----------
        optimizer : Optimizer, optional
            Whose, where there are several.
        scale : Tensor or float
            By which the gradients are still multiplied.
        """
        if self.health is not None:
            self.health.gradients()
        own = self._optimizers[0] if optimizer is None else bare(optimizer)
        norm = total(gradients(own.param_groups))
        self.stats({self._named("grad_norm", own): norm if scale == 1.0 else norm / scale})

    def rates(self) -> None:
        """Read the learning rates again, where the framework moves them within an update."""
        self.stats(self._rates())

    def stats(self, values: Mapping[str, Any]) -> None:
        """Add numbers to the record of this update."""
        if self._update is not None:
            self._update.stats.update(values)

    def update_ends(self, **done: float) -> None:
        """End an update whose step was made; `write` brings it into the log."""
        update = self._update
        if update is None:
            return
        update.end()
        watched = self._looked(update.losses.get("loss"))
        if self.guard is not None:
            watched |= self.guard.stats()
        # The norm before clipping, where it was looked at, is not that of the guard.
        update.stats = {**watched, **update.stats, **self._timed(done)}

    def add(self, losses: Mapping[str, Any], stats: Mapping[str, Any]) -> None:
        """Complete the record of the update that has ended, if it is not written yet."""
        if self._update is not None and self._update.ended:
            self._update.losses.update(losses)
            self._update.stats.update(stats)

    def write(self) -> None:
        """Record the update that has ended. Repeating it does nothing."""
        update = self._update
        if update is None or not update.ended:
            return
        self._update = None
        if self.log is not None:
            self.log.log(
                update.step, update.losses, update.stats,
                epoch=update.epoch, progress=self._share(update.step),
            )  # fmt: skip

    def validation(self, step: int, values: Mapping[str, Any], epoch: float | None = None) -> None:
        """Record what was measured on other data after `step` updates, as split ``"val"``.

        ``val_``, ``eval_`` and the like at the beginning of a name are left out.
        """
        if self.log is None:
            return
        self.write()
        named = {_SPLIT.sub("", name): value for name, value in values.items()}
        of_loss = {name: value for name, value in named.items() if "loss" in name.lower()}
        rest = {name: value for name, value in named.items() if name not in of_loss}
        self.log.log(step, of_loss, rest, "val", epoch=epoch, progress=self._share(step))

    def wait(self) -> None:
        """From here on the loop waits for data."""
        if self._waiting is None:
            self._waiting = ExitStack()
            self._waiting.enter_context(self._times.data())

    def arrived(self) -> None:
        """A batch has come."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.close()

    def pause(self) -> None:
        """What follows until `wait` is no part of an update: evaluation, checkpoints."""
        self.arrived()
        self._times.pause()

    def failed(self, error: BaseException) -> None:
        """Record why the training ends here, and end it."""
        self.write()
        if self.log is not None:
            why, stats = self._told(error)
            self.log.log(self.step, {}, stats, anomalies=[why])
        self.end()

    def end(self) -> None:
        """End the training: everything is written, and the optimizers are as they were."""
        self.write()
        self.pause()
        self._undo.close()
        log, self.log = self.log, None
        if log is not None and log is self._given:
            log.flush()  # somebody else's to close
        elif log is not None:
            log.close()

    def state_dict(self) -> dict[str, Any]:
        """What guard and parts have learnt, in plain values; the log continues where it ends."""
        return {
            "guard": None if self.guard is None else self.guard.state_dict(),
            "parts": None if self._own is None else self._own.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, at once or when the training begins."""
        self._state = state
        self._restore()

    def _follow(self, model: nn.Module, optimizers: Sequence[Any], look: bool) -> None:
        """Make what follows the updates, guards them or looks at them."""
        if self._parts:
            length = Clock(int(self._updates) if self._updates else _ENDLESS)
            self._own = Scheduler(self._optimizers[0], length, parts=self._parts)
        if look or self._make_guard is not None or self._make_health is not None:
            self._watch(model, optimizers, look)
        self._restore()

    def _watch(self, model: nn.Module, optimizers: Sequence[Any], look: bool) -> None:
        """Put guard and check-up around the step of the optimizer."""
        refuse_several(optimizers)
        (own,) = self._optimizers
        if self._make_guard is not None:
            refuse_scaler(optimizers[0])
            self.guard = self._make_guard(own)
        if self._make_health is not None:
            self.health = self._make_health(model, own)
            self._undo.callback(self.health.close)
        self._undo.callback(take_over(own, partial(self._make_step, own, look)))

    def _make_step(self, optimizer: Optimizer, look: bool) -> None:
        if look:
            self.gradients()
        if self.guard is None:
            optimizer.step()  # that of the optimizer itself: see `take_over`
        else:
            seen = None if self._update is None else self._update.seen()
            self.guard.step(seen, step=self.step)

    def _open(self, rank: int) -> None:
        if isinstance(self._given, RunLogger):
            self.log = self._given
        elif rank == 0 or self._every_rank:
            plans = [one.header() for one in (self._scheduler, self._own) if one is not None]
            plan = {name: value for one in plans for name, value in one.items()}
            if self._updates is not None:
                plan["total_steps"] = self._updates
            self.log = RunLogger(self._given, config=self._config, schedules=plan, end=True)

    def _restore(self) -> None:
        if self._state is None:
            return
        for name, part in (("guard", self.guard), ("parts", self._own)):
            if part is not None and self._state.get(name) is not None:
                part.load_state_dict(self._state[name])

    def _told(self, error: BaseException) -> tuple[dict[str, Any], dict[str, float]]:
        """The anomaly that an error is, and the numbers beside it."""
        why = told(error, self.step)
        if why["type"] != "out_of_memory":
            return why, {}
        if self._system is None:
            return why, {"num_ooms": 1.0}
        return self._system.record_oom(error, self.step, clean=False), self._system.stats()

    def _rates(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        several = len(self._optimizers) > 1
        for own in self._optimizers:
            names = names_of(own.param_groups)
            for name, group in zip(names, own.param_groups, strict=True):
                key = self._named("lr", own) if several else "lr"
                out[f"{key}/{name}" if len(names) > 1 else key] = _kept(group["lr"])
        for one in (self._scheduler, self._own):
            out |= {} if one is None else one.logged()
        return out

    def _named(self, name: str, optimizer: Optimizer) -> str:
        if len(self._optimizers) == 1:
            return name
        place = [one is optimizer for one in self._optimizers].index(True)
        return f"{name}/optimizer-{place}"

    def _timed(self, done: Mapping[str, float]) -> dict[str, float]:
        if self._system is None:
            return self._times.step(**done)
        self._system.step(**done)
        return self._system.stats()

    def _looked(self, loss: Any) -> dict[str, Any]:
        report = None if self.health is None else self.health.end(loss)
        if report is None:
            return {}
        if not report.healthy:
            logging.getLogger("trainlens").warning(report.words())
        return dict(report.stats)

    def _share(self, step: int) -> float | None:
        return min(step / self._updates, 1.0) if self._updates else None


def _kept(rate: Any) -> Any:
    """A learning rate as it is now; one in a tensor is written in place later."""
    return rate.clone() if isinstance(rate, Tensor) else rate
