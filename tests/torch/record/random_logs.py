"""Calls of `RunLogger.log` of random trainings, with the faults that detectors look for."""

import math
from typing import NamedTuple

import numpy as np


class Call(NamedTuple):
    """Arguments of one call."""

    step: int
    losses: dict[str, float]
    stats: dict[str, float]
    split: str


class Training:
    """A training with names, faults and restarts of its own.

    The names of a log are those that a seed gives; its values depend on the record, not on the
    step, so that a part that is trained again differs.
    """

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        self.total = rng.choice(["total_loss", "loss", "total", "train_loss", "loss_theta"])
        self.norm = rng.choice(["grad_norm", "gradient_norm", "opt/total_norm", "train/grad_norm"])
        self.time = rng.choice(["batch_time", "time/step_time", "iter_time_ms"])
        self.gate, self.oom = rng.choice(["alpha_mean", "gate"]), rng.choice(["num_ooms", "oom"])
        self.cover = rng.choice(["valid_ratio", "coverage_mean"])
        self.percent = 100.0 if rng.random() < 0.2 else 1.0
        self.n = int(rng.integers(60, 400))
        self.every = int(rng.integers(1, 20))
        self.ooms = 0
        self.low_until = self.gate_until = self.spike_until = -1
        self.height = 1.0

    def calls(self):
        """All calls, in order."""
        rng, step, i = self.rng, 0, 0
        restarts = sorted(rng.integers(30, self.n, int(rng.integers(0, 4))).tolist())
        while i < self.n:
            if restarts and i >= restarts[0]:
                restarts.pop(0)
                # Two records at least: one late point alone is no restart.
                step -= self.every * int(rng.integers(2, 25))
                self.ooms = 0
            step = max(step, 0) + self.every
            yield self._train(step, i)
            if i % 25 == 24:
                yield self._val(step)
            i += 1

    def _train(self, step, i):
        rng = self.rng
        loss = (2 * math.exp(-i / 150) + 0.5) * math.exp(0.03 * rng.standard_normal())
        if rng.random() < 0.008:
            self.spike_until, self.height = i + int(rng.choice([0, 1, 8, 30])), rng.uniform(1.5, 20)
        if i <= self.spike_until:
            loss *= self.height
        losses = {"loss_b": 0.1 * loss, self.total: loss}
        if rng.random() < 0.01:
            losses[self.total] = rng.choice([math.nan, math.inf, -math.inf])
        return Call(step, losses, self._stats(i), "train")

    def _stats(self, i):
        rng = self.rng
        norm = math.exp(0.2 * rng.standard_normal()) * (300 if rng.random() < 0.01 else 1)
        if rng.random() < 0.01:
            norm = rng.choice([math.nan, math.inf, 0.0])
        seconds = 0.2 * math.exp(0.05 * rng.standard_normal())
        seconds *= 3000 if rng.random() < 0.008 else 1
        if rng.random() < 0.02:
            self.low_until = i + int(rng.integers(1, 60))
        if rng.random() < 0.02:
            self.gate_until = i + int(rng.integers(1, 60))
        self.ooms += rng.random() < 0.01
        cover = rng.uniform(0.05, 0.25) if i <= self.low_until else rng.uniform(0.4, 1.0)
        gate = rng.choice([0.02, 0.97]) if i <= self.gate_until else rng.uniform(0.2, 0.8)
        milli = 1000 if self.time.endswith("ms") else 1
        return {
            self.norm: norm,
            f"{self.norm}/layer1": norm / 2,
            self.time: seconds * milli,
            self.cover: cover * self.percent if i else 0.9 * self.percent,
            self.gate: float(gate),
            self.oom: float(self.ooms),
            "gpu_util_percent": math.nan if rng.random() < 0.05 else 80.0,
        }

    def _val(self, step):
        rng = self.rng
        bad = rng.random() < 0.05
        losses = {self.total: math.nan if bad else float(rng.uniform(0.5, 9))}
        return Call(step, losses, {self.cover: 0.9 * self.percent, "mpjpe": 55.5}, "val")
