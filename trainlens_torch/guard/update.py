"""Optimizer updates that a bad gradient cannot reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from trainlens_torch.clock import Clock
from trainlens_torch.gradients.adaptive import AdaptiveClip
from trainlens_torch.gradients.clip import coefficient
from trainlens_torch.gradients.norm import above_zero, joint, norms, scale
from trainlens_torch.gradients.ranks import world_size
from trainlens_torch.guard.box import CAUSES, BlackBox
from trainlens_torch.guard.undo import Way, step_unless
from trainlens_torch.state import StateMismatch, packed, unpacked

__all__ = ["Diverged", "UpdateGuard"]

_VERSION = 1
_COUNTS = ("calls", "skipped", *(f"for_{cause}" for cause in CAUSES[1:]), "in_a_row")
_STEPS = ("first_bad", "last_bad")


class Diverged(RuntimeError):
    """A training that does not come back: too many updates in a row had to be skipped."""


class UpdateGuard:
    """Steps an optimizer, but for updates that would do harm.

    Where a gradient is not finite, the loss is not, or the norm of all gradients is beyond a
    limit, the update is skipped: parameters and optimizer state keep every bit. Whether it is so
    is found on the device and decided there; the host waits for nothing (see
    `trainlens_torch.guard.undo.step_unless` for the two exceptions). Skipped updates are counted
    by cause, and the step of the first one is kept::

        guard = UpdateGuard(optimizer, clip_norm=1.0, z=6.0, clock=clock)
        for batch in loader:
            scheduler.apply()
            loss = model(batch)
            loss.backward()
            if clock.due:
                guard.step(loss)              # in the place of optimizer.step()
                optimizer.zero_grad()
            clock.tick(samples=len(batch))
            log(clock.updates, stats=guard.stats())

    The clock counts skipped updates as well, as nobody but the device knows of them; with
    ``clock.tick(update=not guard.step(loss))`` it does not, and waits. With a
    `torch.amp.GradScaler` the gradients are unscaled first and `guard.step` takes the place of
    ``scaler.step``, which would read from the device::

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        guard.step(loss)
        scaler.update()                       # lowers the scale after gradients that overflowed

    Parameters
    ----------
    optimizer : Optimizer
        One whose ``step`` needs no closure.
    clip_norm : float, optional
        Largest norm; larger gradients are scaled down and applied.
    max_norm : float, optional
        Gradients with a norm above it are not applied at all.
    z : float, optional
        The same for a norm so many spreads above what it was lately, as `AdaptiveClip` learns it;
        well above the 3 of clipping: 6, or more.
    warmup : int
        Updates before `z` acts.
    box : BlackBox, optional
        Is given every update.
    clock : Clock, optional
        Tells the step; without it and without a `step` the calls are counted, from 0.
    out_of_memory : {"raise", "skip"}
        What `sheltered` does.
    way : {"auto", "branch", "found_inf", "restore"}
        How an update is skipped; see `trainlens_torch.guard.undo.step_unless`.
    stop_after : int, optional
        Raise `Diverged` where so many updates in a row were skipped, or up to twice as many: the
        device is asked once in so many calls. All ranks of a process group skip the same updates,
        so all of them raise.

    Raises
    ------
    TypeError, ValueError
        A limit that is no number above 0, an unknown `out_of_memory` or `way`, or a `stop_after`
        that is no whole number above 0.

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> guard = UpdateGuard(torch.optim.SGD([weight], lr=1.0))
    >>> for gradient in ([0.5, 0.0], [0.5, math.nan]):
    ...     weight.grad = torch.tensor(gradient)
    ...     skipped = guard.step()
    >>> skipped, guard.skipped, weight.data
    (tensor(True), tensor(1), tensor([0.5000, 2.0000]))
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        clip_norm: float | None = None,
        max_norm: float | None = None,
        z: float | None = None,
        warmup: int = 100,
        box: BlackBox | None = None,
        clock: Clock | None = None,
        out_of_memory: Literal["raise", "skip"] = "raise",
        way: Way = "auto",
        stop_after: int | None = None,
    ) -> None:
        if out_of_memory not in ("raise", "skip"):
            raise ValueError(f'out_of_memory is "raise" or "skip", not {out_of_memory!r}')
        if way not in get_args(Way):
            raise ValueError(f"way is one of {', '.join(get_args(Way))}, not {way!r}")
        if stop_after is not None and (type(stop_after) is not int or stop_after < 1):
            raise ValueError(f"stop_after is a whole number above 0, not {stop_after!r}")
        self.optimizer, self.box, self.clock = optimizer, box, clock
        self.clip_norm = None if clip_norm is None else above_zero(clip_norm, "clip_norm")
        self.max_norm = None if max_norm is None else above_zero(max_norm, "max_norm")
        self.z = None if z is None else above_zero(z, "z")
        self.out_of_memory, self.way = out_of_memory, way
        self._usual = None if z is None else AdaptiveClip(z=z, warmup=warmup)
        self._warmup = warmup
        self.stop_after, self._unasked = stop_after, 0
        self._ran_out = False
        first = next((p for g in optimizer.param_groups for p in g["params"]), None)
        device = first.device if first is not None else torch.device("cpu")
        self._counts = torch.zeros(len(_COUNTS), dtype=torch.int64, device=device)
        self._steps = torch.full((len(_STEPS),), -1, dtype=torch.int64, device=device)
        self._codes = torch.arange(1, len(CAUSES), device=device)
        self._norm = torch.zeros((), device=device)

    @property
    def skipped(self) -> Tensor:
        """Updates so far that were not applied; shape (), int64."""
        return self._count("skipped")

    @property
    def in_a_row(self) -> Tensor:
        """Updates that were skipped since the last one that was applied."""
        return self._count("in_a_row")

    @property
    def first_bad(self) -> Tensor:
        """Step of the first update that was skipped, -1 before there is one."""
        return self._steps[0].clone()

    @property
    def last_bad(self) -> Tensor:
        """Step of the last update that was skipped, -1 before there is one."""
        return self._steps[1].clone()

    @torch.no_grad()
    def step(
        self, loss: Tensor | None = None, *, batch: Any = None, step: int | None = None
    ) -> Tensor:
        """Update the parameters, or skip it.

        Parameters
        ----------
        loss : Tensor, optional
            Of this update; skipped where any of it is not finite. In a process group all ranks
            skip if one does, so all have to give it, or none.
        batch : Tensor, or nested mapping or sequence of them, optional
            For the fingerprint in the black box.
        step : int, optional
            Of this update.

        Returns
        -------
        Tensor of shape (), bool
            Whether it was skipped. Reading it waits for the device.

        Raises
        ------
        Diverged
            With `stop_after`: that many updates in a row were skipped. This one is noted like
            any other; parameters and optimizer are those of the last update that was applied.
        """
        there = [p for g in self.optimizer.param_groups for p in g["params"] if p.grad is not None]
        grads: list[Tensor] = [p.grad for p in there]
        parts = norms(grads)
        norm = joint(parts).to(self._counts.device)
        self._norm = norm
        cause = self._cause(norm, loss)
        place = self._place(step)
        if self.box is not None:
            held = dict(zip(there, parts, strict=True))
            self.box.record(place, loss=loss, batch=batch, cause=cause, parts=held)
        if self.clip_norm is not None:
            scale(grads, coefficient(self.clip_norm, norm))
        bad = cause > 0
        if not self._ran_out:
            step_unless(self.optimizer, bad, self.way)
        self._ran_out = False
        self._note(cause, bad, place)
        self._stop()
        return bad

    @contextmanager
    def sheltered(self) -> Iterator[None]:
        """Around the forward and backward pass of a micro-batch: the memory may run out.

        With ``out_of_memory="skip"`` the gradients are dropped, the cache of the allocator is
        given back, and the next `step` skips its update, whatever other micro-batches bring: part
        of a batch is another batch. With ``"raise"`` the error goes on. Not within a process
        group whose other ranks wait for these gradients: there the error always goes on.
        """
        try:
            yield
        except torch.OutOfMemoryError:
            if self.out_of_memory == "raise" or world_size() > 1:
                raise
            self._ran_out = True
        if self._ran_out:
            # Behind the handler: its traceback holds the activations.
            self.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def stats(self) -> dict[str, Tensor]:
        """Copies for the log, on the device."""
        found = {
            "grad_norm": self._norm.clone(),
            "skipped_updates": self.skipped,
            "skipped_in_a_row": self.in_a_row,
        }
        if self._usual is not None:
            found["grad_norm_limit"] = self._usual.limit.clone()
        return found

    def report(self) -> dict[str, int]:
        """Counts and steps in plain numbers; waits for the device."""
        return dict(
            zip((*_COUNTS, *_STEPS), self._counts.tolist() + self._steps.tolist(), strict=True)
        )

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes; waits for the device."""
        usual = None if self._usual is None else self._usual.state_dict()
        return packed("UpdateGuard", _VERSION, self.config(), usual=usual, **self.report())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Another configuration or version, or no number; nothing was changed.
        """
        names = (*_COUNTS, *_STEPS)
        usual, *values = unpacked(state, "UpdateGuard", _VERSION, self.config(), "usual", *names)
        for name, value in zip(names, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, int):
                raise StateMismatch(f"{name} in the state of the UpdateGuard is {value!r}")
        if self._usual is not None:
            self._usual.load_state_dict(usual)
        self._counts.copy_(torch.tensor(values[: len(_COUNTS)]))
        self._steps.copy_(torch.tensor(values[len(_COUNTS) :]))

    def config(self) -> dict[str, Any]:
        """What the guard was made with, in plain values."""
        return {
            "clip_norm": self.clip_norm,
            "max_norm": self.max_norm,
            "z": self.z,
            "warmup": self._warmup,
        }

    def __repr__(self) -> str:
        return f"UpdateGuard({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"

    def _count(self, name: str) -> Tensor:
        return self._counts[_COUNTS.index(name)].clone()

    def _place(self, step: int | None) -> Tensor:
        if step is None and self.clock is not None:
            step = self.clock.updates
        if step is None:
            return self._count("calls")
        return torch.full((), step, dtype=torch.int64, device=self._counts.device)

    def _cause(self, norm: Tensor, loss: Tensor | None) -> Tensor:
        """Why this update must not be applied, as a place in `CAUSES`; 0 where it may."""
        if self._ran_out:
            return torch.full_like(self._counts[0], CAUSES.index("out_of_memory"))
        limit = math.inf if self.max_norm is None else self.max_norm
        beyond = norm > limit
        if self._usual is not None:
            beyond = beyond | (norm > self._usual.observe(norm))
        cause = beyond.to(torch.int64) * CAUSES.index("explosion")
        if loss is not None:
            fine = loss.detach().isfinite().all().to(cause.device)
            cause = torch.where(fine, cause, CAUSES.index("loss"))
        cause = torch.where(norm.isfinite(), cause, CAUSES.index("gradient"))
        if loss is not None and world_size() > 1:
            torch.distributed.all_reduce(cause, torch.distributed.ReduceOp.MAX)
        return cause

    def _stop(self) -> None:
        """Raise where too many updates in a row were skipped; asked once in so many calls."""
        if self.stop_after is None:
            return
        self._unasked += 1
        if self._unasked < self.stop_after:
            return
        self._unasked = 0
        found = self.report()
        if found["in_a_row"] < self.stop_after:
            return
        causes = ", ".join(f"{n} for {c}" for c in CAUSES[1:] if (n := found[f"for_{c}"]))
        told = (
            f"{found['in_a_row']} updates in a row were skipped, the last at step "
            f"{found['last_bad']} ({found['skipped']} of {found['calls']} in all: {causes})"
        )
        more = f"; {self.box.words()}" if self.box is not None else ""
        raise Diverged(f"{told}{more}; lower the learning rate or go back to a checkpoint")

    def _note(self, cause: Tensor, bad: Tensor, place: Tensor) -> None:
        calls, skipped = self._counts[0], self._counts[1]
        calls.add_(1)
        skipped.add_(bad)
        self._counts[2:-1].add_(self._codes == cause)
        row, first, last = self._counts[-1], self._steps[0], self._steps[1]
        row.add_(1).mul_(bad)
        first.copy_(torch.where(bad & (first < 0), place, first))
        last.copy_(torch.where(bad, place, last))
