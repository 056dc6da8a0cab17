"""A small training that holds everything a checkpoint can, and is saved through one."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.torch.resume.training import EPOCH, UPDATES, Net, Setting, Training
from trainlens_torch.loop import Checkpointer, EarlyStopping
from trainlens_torch.memory import AdaptiveBatch
from trainlens_torch.schedules import Cosine

ROWS = 24


class Sampler:
    """Batches in an order of its own, with a place in it: a stand-in for samplers with a state."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)
        self.order, self.place = self.generator.permutation(ROWS).tolist(), 0

    def take(self, count):
        if self.place + count > ROWS:
            self.order, self.place = self.generator.permutation(ROWS).tolist(), 0
        self.place += count
        return self.order[self.place - count : self.place]

    def state_dict(self):
        return {
            "order": self.order, "place": self.place,
            "generator": self.generator.bit_generator.state,
        }  # fmt: skip

    def load_state_dict(self, state):
        self.order, self.place = list(state["order"]), state["place"]
        self.generator.bit_generator.state = state["generator"]


class Whole(Training):
    """The training of the resume tests, with more of what changes."""

    def __init__(self, folder, seed=0, log=None, **options):
        super().__init__(Setting(Cosine(), adaptive="seed", accumulation=2))
        random.seed(seed)
        np.random.seed(seed)
        self.ema = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        self.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        self.sampler, self.noise = Sampler(seed), torch.Generator().manual_seed(seed)
        self.shuffle = np.random.default_rng(seed)
        self.stopping, self.batch = EarlyStopping(50), AdaptiveBatch(4, ceiling=64, grow_after=2)
        data = torch.Generator().manual_seed(5)
        self.data, self.log = torch.randn(ROWS, 3, generator=data), log
        self.parts = {
            "model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler,
            "clip": self.clip, "ema": self.ema, "scaler": self.scaler, "noise": self.noise,
            "stopping": self.stopping, "batch": self.batch, "shuffle": self.shuffle,
        }  # fmt: skip
        self.saver = Checkpointer(
            folder, {**self.parts, **options.pop("more", {})}, of_rank={"sampler": self.sampler},
            log=log, **options,
        )  # fmt: skip

    def update(self):
        """One update; everything random that there is has a part in it."""
        self.model.train()
        self.scheduler.apply()
        losses = []
        for _ in range(self.clock.accumulation):
            x = self.data[self.sampler.take(4)] * (1 + 0.01 * random.random())
            x = x + 0.01 * torch.randn(4, 3, generator=self.noise) + 0.01 * np.random.random()
            x = x * (1 + 0.01 * self.shuffle.random())
            loss = (self.model(x) - x.sum(1, keepdim=True)).square().mean()
            self.scaler.scale(loss / self.clock.accumulation).backward()
            losses.append(loss.item())
            if self.clock.due:
                self.scaler.unscale_(self.optimizer)
                norm = float(self.clip(self.model.parameters()))
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()
                self.ema.update_parameters(self.model)
                self.batch.worked()
            self.clock.tick(samples=4)
        mean = sum(losses) / len(losses)
        self.manager.update(mean, self.clock.epoch)
        self.stopping.update(mean)
        if self.clock.updates % EPOCH == 0:
            self.clock.end_epoch()
        told = {**self.scheduler.logged(), **self.stopping.stats(), "size": self.batch.size}
        if self.log is not None:
            self.log.log(self.clock.updates, {"loss": mean}, {"grad_norm": norm, **told})
        return (mean, norm, self.scaler.get_scale(), *told.values())

    def everything(self):
        """Weights, statistics, moments, averaged weights."""
        average = {f"ema/{name}": value.clone() for name, value in self.ema.state_dict().items()}
        return {**self.weights(), **average}


__all__ = ["UPDATES", "Net", "Whole"]
