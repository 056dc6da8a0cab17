"""One training of the localisation network, with its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from benchmarks.adaptive.localisation import BATCH, FRAMES, frames, loss_of, network
from trainlens_torch.adaptive import AdaptiveLRManager
from trainlens_torch.record.jsonl import JsonlSink

SMALL, KAIMING = 0.1, 1.0
"""Gain of the initial weights: on the saddle, and as it should be."""


@dataclass(frozen=True)
class Task:
    """What is trained, and for how long.

    Parameters
    ----------
    name : str
    gain, rate : float
        Of the initial weights, and the learning rate.
    epochs : int
    """

    name: str
    gain: float
    rate: float
    epochs: int


STALL = Task("stall", SMALL, 1e-4, 300)
CONTROL = Task("control", KAIMING, 1e-2, 150)


@dataclass(frozen=True)
class Method:
    """How the learning rate is led.

    Parameters
    ----------
    name : str
    manager : callable, optional
        From the base rate.
    plateau : bool
        torch's ReduceLROnPlateau.
    times, warmup : float, int
        The recipe of a higher rate: times the rate of the task, reached after so many epochs.
    """

    name: str
    manager: Callable[[float], AdaptiveLRManager] | None = None
    plateau: bool = False
    times: float = 1.0
    warmup: int = 0


def _seed(rate: float) -> AdaptiveLRManager:
    return AdaptiveLRManager(rate)


def _seed_warm(rate: float) -> AdaptiveLRManager:
    return AdaptiveLRManager(rate, warmup=10)


def _robust(rate: float) -> AdaptiveLRManager:
    return AdaptiveLRManager(rate, mode="robust")


METHODS = {
    method.name: method
    for method in (
        Method("fixed"),
        Method("plateau", plateau=True),
        Method("seed", _seed),
        Method("recipe", _seed_warm, times=5.0, warmup=10),
        Method("robust", _robust),
    )
}


@dataclass(frozen=True)
class Result:
    """What came of a training.

    Parameters
    ----------
    losses : list of float, one an epoch
    factor : float
        Last factor of the manager, 1 without one.
    changes : list of str
        Its decisions in words.
    """

    losses: list[float]
    factor: float
    changes: list[str]


def train(task: Task, method: Method, seed: int, folder: Path) -> Result:
    """Train once; the log lands in ``folder/<method>/s<seed>.jsonl``."""
    torch.set_num_threads(1)
    rate = task.rate * method.times
    data, model = frames(seed), network(seed, task.gain)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    manager = method.manager(rate) if method.manager else None
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=10) if method.plateau else None
    order = torch.Generator().manual_seed(seed)
    config: dict[str, Any] = {"method": method.name, "lr": rate, "seed": seed, "task": task.name}
    losses: list[float] = []
    (folder / method.name).mkdir(parents=True, exist_ok=True)
    with JsonlSink(folder / method.name / f"s{seed}.jsonl", config=config) as log:
        for epoch in range(task.epochs):
            factor = manager.factor if manager else 1.0
            warm = min(1.0, 0.02 + epoch / method.warmup) if method.warmup else 1.0
            if plateau is None:
                optimizer.param_groups[0]["lr"] = rate * warm * factor
            used = optimizer.param_groups[0]["lr"]
            losses.append(_epoch(model, optimizer, data, order))
            log.log(epoch, {"loss": losses[-1]}, {"lr": used, "lr_factor": factor}, epoch=epoch)
            if manager:
                manager.update(losses[-1], epoch)
            if plateau:
                plateau.step(losses[-1])
    said = [f"epoch {c.epoch:g}: {c.reason}" for c in manager.decisions] if manager else []
    return Result(losses, manager.factor if manager else 1.0, said)


def _epoch(model: Any, optimizer: Any, data: Any, order: torch.Generator) -> float:
    """Mean loss of one epoch."""
    total = torch.zeros(())
    for index in torch.randperm(FRAMES, generator=order).view(-1, BATCH):
        loss = loss_of(model(data.image[index]), data.target[index])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.detach()
    return total.item() / (FRAMES // BATCH)
