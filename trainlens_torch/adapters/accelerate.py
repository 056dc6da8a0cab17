"""A loop of one's own, with accelerate or without it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from trainlens_torch.adapters.steps import StepRecorder
from trainlens_torch.checks import whole
from trainlens_torch.gradients.clip import clip_gradients
from trainlens_torch.record import ranks
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.scheduler import Scheduler

__all__ = ["Loop"]

T = TypeVar("T")


class Loop:
    """Makes the updates of a loop of one's own, and records them.

    ::

        accelerator = Accelerator(gradient_accumulation_steps=4)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        with Loop("runs/a", model, optimizer, accelerator=accelerator, clip_norm=1.0) as loop:
            for batch in loop.batches(loader):
                with accelerator.accumulate(model):
                    loss = criterion(model(batch))
                    loop.backward(loss)
                    loop.step({"loss": loss})
            loop.validation({"loss": validated(model)})

    `step` does nothing but remember the losses until the last micro-batch of an update
    (``accelerator.sync_gradients``); then it clips, steps the optimizer, applies the scheduler,
    clears the gradients, and records the update. An exception within the block is the anomaly of a
    last record.

    Parameters
    ----------
    log : RunLogger or path-like
    model : Module
    optimizer : Optimizer
        Both as accelerate has prepared them.
    accelerator : Accelerator, optional
        Without it the loop is a plain one.
    accumulation : int
        Micro-batches of an update in a plain loop.
    clip_norm : float, optional
        Largest norm of the gradients; larger ones are scaled down.
    scheduler : Scheduler, optional
        Not prepared by accelerate: the loop applies it before the forward pass, and its clock
        counts the updates.
    updates, updates_per_epoch : int, optional
        Of the whole training and of an epoch, for the progress in the log. A scheduler knows them.
    **options
        Those of `StepRecorder`: ``parts``, ``guard``, ``health``, ``system``, ``config``,
        ``every_rank``.

    Raises
    ------
    UsageError
        A guard beside a gradient scaler.

    Examples
    --------
    >>> import tempfile, torch
    >>> model = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Loop(folder, model, optimizer, updates=3) as loop:
    ...         for x in loop.batches([torch.ones(4, 2)] * 3):
    ...             loss = model(x).square().mean()
    ...             loop.backward(loss)
    ...             _ = loop.step({"loss": loss})
    >>> loop.updates
    3
    """

    def __init__(
        self,
        log: RunLogger | str | os.PathLike[str],
        model: nn.Module,
        optimizer: Any,
        *,
        accelerator: Any = None,
        accumulation: int = 1,
        clip_norm: float | None = None,
        scheduler: Scheduler | None = None,
        updates: int | None = None,
        updates_per_epoch: int | None = None,
        **options: Any,
    ) -> None:
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.clip_norm = clip_norm
        self._accelerator, self._accumulation = accelerator, whole(accumulation, "accumulation")
        self._micro, self._updates = 0, 0
        if scheduler is not None:
            updates_per_epoch = updates_per_epoch or scheduler.clock.updates_per_epoch
        self._per_epoch = updates_per_epoch
        self.steps = StepRecorder(log, **options)
        known = None if scheduler is None else scheduler.clock.total_updates
        rank = ranks.of_process() if accelerator is None else accelerator.process_index
        self.steps.begin(
            model, [optimizer], step=self.updates, updates=known if updates is None else updates,
            scheduler=scheduler, rank=rank,
        )  # fmt: skip

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self._updates if self.scheduler is None else self.scheduler.clock.updates

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a loader; an update begins with the first of its own."""
        self.steps.wait()
        for batch in loader:
            self.steps.arrived()
            self._begin()
            yield batch
            self.steps.wait()
        self.steps.pause()

    def backward(self, loss: Tensor) -> None:
        """The backward pass of a micro-batch, whose share of the update is taken care of."""
        self._begin()
        self.steps.seen(loss)
        if self._accelerator is not None:
            self._accelerator.backward(loss)
        else:
            torch.autograd.backward(loss / self._accumulation)

    def step(self, losses: Mapping[str, Any], *, samples: int = 0, tokens: int = 0) -> bool:
        """End a micro-batch; with the last one of an update, make the update.

        Parameters
        ----------
        losses : mapping of str to number or Tensor of one element
            Of this micro-batch.
        samples, tokens : int
            Of this micro-batch, for the clock of a scheduler.

        Returns
        -------
        bool
            Whether it was the last one.
        """
        self._begin()
        self.steps.losses(losses)
        due = self._due()
        if due:
            self._clip()
            self.optimizer.step()
            self.steps.update_ends()
            self.optimizer.zero_grad()
            self.steps.write()
        if self.scheduler is not None:
            self.scheduler.clock.tick(samples, tokens, update=due)
        self._updates += due
        self._micro = 0 if due else self._micro + 1
        return due

    def validation(self, values: Mapping[str, Any]) -> None:
        """Record what was measured on other data; its time belongs to no update."""
        self.steps.pause()
        self.steps.validation(self.updates, values, self._epoch())

    def state_dict(self) -> dict[str, Any]:
        """Plain values; the scheduler has a state of its own."""
        return {"updates": self._updates, **self.steps.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, between two updates."""
        self._updates = state["updates"]
        self.steps.load_state_dict(state)

    def close(self, error: BaseException | None = None) -> None:
        """Close the log; an error that ended the training is recorded before."""
        if error is not None:
            self.steps.failed(error)
        self.steps.end()

    def __enter__(self) -> Loop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    def _begin(self) -> None:
        if self.steps.within:
            return
        if self.scheduler is not None:
            self.scheduler.apply()
        self.steps.update_begins(self.updates, self._epoch())

    def _due(self) -> bool:
        if self._accelerator is not None:
            return bool(self._accelerator.sync_gradients)
        return self._micro + 1 >= self._accumulation

    def _clip(self) -> None:
        """Clip, and record the norm that the gradients had."""
        if self._accelerator is not None:
            self._accelerator.unscale_gradients()
        if self.clip_norm is None:
            self.steps.gradients()
            return
        if self.steps.health is not None:
            self.steps.health.gradients()
        norm = self._clipped(self.clip_norm)
        self.steps.stats({} if norm is None else {"grad_norm": norm})

    def _clipped(self, limit: float) -> Tensor | None:
        if self._accelerator is None:
            return clip_gradients(self.model, limit)
        # What is sharded over ranks, accelerate knows to take the norm of.
        norm: Tensor | None = self._accelerator.clip_grad_norm_(self.model.parameters(), limit)
        return norm

    def _epoch(self) -> float | None:
        if self.scheduler is not None and self._per_epoch is None:
            return self.scheduler.clock.epoch
        return None if self._per_epoch is None else self.updates / self._per_epoch
