"""One update of the model, in the way that the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from examples.diffold_guarded.data import Chains
from examples.diffold_guarded.model import losses
from trainlens_torch import Clock, is_out_of_memory
from trainlens_torch.config import TrainingConfig
from trainlens_torch.memory import SplitOnOOM, Updated


class Updates(Protocol):
    """Makes updates, and counts how often memory ran out."""

    def update(self, chains: Chains) -> Updated | None:
        """Learn from a batch; None where it was lost."""

    def stats(self) -> Mapping[str, Tensor | float]:
        """For the log."""


def updates(
    config: TrainingConfig, model: nn.Module, optimizer: torch.optim.Optimizer, clock: Clock
) -> Updates:
    """Updates that are done again in pieces where `memory.on_oom` is ``split``, else plain ones."""
    plain = Plain(config, model, optimizer, clock)
    recovery = config.recovery(model, plain.loss, optimizer, clock, step=plain.guard.step)
    return plain if recovery is None else Recovering(plain, recovery)


class Plain:
    """What the team had: memory that runs out costs the batch, and the training goes on."""

    def __init__(
        self, config: TrainingConfig, model: nn.Module, optimizer: torch.optim.Optimizer,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.clock = model, optimizer, clock
        self.guard = config.guard_for(optimizer, clock, model)
        self.lost = 0

    def loss(self, chains: Chains) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms."""
        return losses(chains, *self.model(chains))

    def update(self, chains: Chains) -> Updated | None:
        """Learn from a micro-batch, and step where it completes an update."""
        try:
            done = self._learn(chains)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            done = None
            self.lost += 1
        self.clock.tick(samples=len(chains["mask"]), update=True if done is None else None)
        return done

    def stats(self) -> Mapping[str, Tensor | float]:
        """Numbers of the guard, and batches that were lost."""
        return {**self.guard.stats(), "oom_count": float(self.lost)}

    def _learn(self, chains: Chains) -> Updated:
        if not self.clock.micro:
            self.optimizer.zero_grad()
        loss, terms = torch.tensor(torch.nan), dict[str, Tensor]()
        with self.guard.sheltered():
            loss, terms = self.loss(chains)
            (loss / self.clock.accumulation).backward()  # type: ignore[no-untyped-call]
        if self.clock.due:
            self.guard.step(loss)
        return Updated(loss.detach(), {k: v.detach() for k, v in terms.items()}, 1, 1)


class Recovering:
    """What trainlens prescribes: an update that does not fit is done again in smaller pieces."""

    def __init__(self, plain: Plain, recovery: SplitOnOOM) -> None:
        self.plain, self.recovery = plain, recovery

    def update(self, chains: Chains) -> Updated | None:
        """Learn from a batch, which is a whole update."""
        return self.recovery.update(chains)

    def stats(self) -> Mapping[str, Tensor | float]:
        """Numbers of the guard, and how updates were cut up."""
        return {**self.plain.guard.stats(), **self.recovery.stats()}
