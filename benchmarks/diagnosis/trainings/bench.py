"""The loop that trains, evaluates and logs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.diagnosis.trainings import data, looks, nets
from benchmarks.diagnosis.trainings.data import Task
from benchmarks.diagnosis.trainings.log import Log, Pace

Batch = tuple[Tensor, Tensor]
Rate = Callable[[int], float]


@dataclass(frozen=True)
class How:
    """How to train; `rate` is the factor of `lr` at a step, `pace` its seconds.

    `batches` changes a batch, `stats` adds to the log every `look` records, `validate` replaces
    the evaluation, `loss` the computation of the loss from a model and a batch.
    """

    steps: int = 1500
    lr: float = 0.05
    optimizer: str = "sgd"
    rate: Rate = lambda step: 1.0
    batch: int = 32
    clip: float | None = None
    decay: float = 0.0
    every: int = 5
    evaluate: int = 50
    ordered: bool = False
    pace: Callable[[int], float] | None = None
    batches: Callable[[int, Tensor, Tensor], Batch] | None = None
    stats: Callable[[int, Batch], Mapping[str, float]] | None = None
    look: int = 1
    validate: Callable[[int], tuple[Tensor, Tensor]] | None = None
    loss: Callable[[nn.Module, Batch], Tensor] | None = None


class Fit:
    """A training that can stop, be stored and go on.

    Parameters
    ----------
    log : Log
    model : torch.nn.Module
    task : Task
    how : How
    seed : int
        Of the order of samples and of the times.
    trained : iterable of parameters, optional
        What the optimizer holds; all of the model if not given.
    """

    def __init__(self, log: Log, model: nn.Module, task: Task, how: How, seed: int,
                 trained: list[nn.Parameter] | None = None) -> None:  # fmt: skip
        self.log, self.model, self.task, self.how, self.seed = log, model, task, how, seed
        self.step = 0
        self.pace = how.pace or Pace(seed)
        self.optimizer = self._optimizer(trained or list(model.parameters()))

    def _optimizer(self, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
        how = self.how
        if how.optimizer == "adam":
            return torch.optim.AdamW(trained, how.lr, weight_decay=how.decay)
        return torch.optim.SGD(trained, how.lr, momentum=0.9, weight_decay=how.decay)

    def go(self, until: int | None = None) -> Fit:
        """Train up to a step."""
        while self.step < (self.how.steps if until is None else until):
            self._update()
            if self.step % self.how.evaluate == 0:
                self._evaluate()
        return self

    def state(self) -> dict[str, Any]:
        """A checkpoint."""
        held = self.model.state_dict(), self.optimizer.state_dict(), self.step
        return dict(zip(("model", "optimizer", "step"), copy.deepcopy(held), strict=True))

    def back(self, state: Mapping[str, Any], *, whole: bool = True) -> None:
        """Return to a checkpoint; without `whole` the optimizer begins anew."""
        self.model.load_state_dict(state["model"])
        self.step = state["step"]
        self.log.now += 30
        if whole:
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        else:
            self.optimizer = self._optimizer(list(self.model.parameters()))

    def _batch(self) -> Batch:
        many = len(self.task.x) // self.how.batch
        epoch, place = divmod(self.step, many)
        order = torch.randperm(
            len(self.task.x), generator=torch.Generator().manual_seed(1000 * self.seed + epoch)
        )
        if self.how.ordered:
            order = torch.argsort(self.task.y, stable=True)
        chosen = order[place * self.how.batch : (place + 1) * self.how.batch]
        x, y = self.task.x[chosen], self.task.y[chosen]
        return self.how.batches(self.step + 1, x, y) if self.how.batches else (x, y)

    def _update(self) -> None:
        how, (x, y) = self.how, self._batch()
        self.step += 1
        rate = how.lr * how.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = how.loss(self.model, (x, y)) if how.loss else self.task.loss(self.model(x), y)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        norm = looks.gradients(self.model) if self.step % how.every == 0 or self.step == 1 else 0.0
        if how.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), how.clip)
        self.optimizer.step()
        seconds = self.pace(self.step)
        self.log.now += seconds
        if self.step % how.every == 0 or self.step == 1:
            self._write(float(loss.detach()), (x, y), rate, norm, seconds)

    def _write(self, loss: float, batch: Batch, rate: float, norm: float, seconds: float) -> None:
        stats = {"lr": rate, "grad_norm": norm, "batch_time": seconds}
        if self.how.stats and self.step // self.how.every % self.how.look == 0:
            stats |= self.how.stats(self.step, batch)
        epoch = self.step * self.how.batch / len(self.task.x)
        self.log.write(self.step, loss, stats, epoch=epoch)

    @torch.no_grad()
    def _evaluate(self) -> None:
        held = self.how.validate
        x, y = held(self.step) if held else (self.task.val_x, self.task.val_y)
        out = self.model(x)
        stats = {}
        if self.task.kind == "class":
            stats["accuracy"] = float((out.argmax(-1) == y).float().mean())
        self.log.now += 0.4
        self.log.write(self.step, float(self.task.loss(out, y)), stats, split="val")


class Bench:
    """What a training is given: data, networks, looks, and the loop.

    Parameters
    ----------
    name : str
        Of the run.
    seed : int
    """

    data, nets, looks, How = data, nets, looks, How

    def __init__(self, name: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.name, self.seed = name, seed
        self.log = Log(name)

    def headed(self, config: Mapping[str, Any], schedules: Mapping[str, Any] | None = None) -> None:
        """Give the log a header with settings; before anything is written."""
        self.log = Log(self.name, config, schedules)

    def fit(self, model: nn.Module, task: Task, *, trained: list[nn.Parameter] | None = None,
            **how: Any) -> Fit:  # fmt: skip
        """A training that has not begun; for `how` see `How`."""
        return Fit(self.log, model, task, How(**how), self.seed, trained)
