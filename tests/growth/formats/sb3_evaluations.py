"""``evaluations.npz``: written anew at each evaluation."""

from __future__ import annotations

import io

import numpy as np

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op

FORMAT = "sb3-evaluations"


class _Archive(Counted):
    def __init__(self, run: int, number: int) -> None:
        super().__init__(run, number)
        self.steps: list[int] = []
        self.rewards: list[list[float]] = []

    def begin(self) -> list[Op]:
        return []

    def record(self, step: int) -> list[Op]:
        self.steps.append(step * 500)
        self.rewards.append(self.next(3))
        out = io.BytesIO()
        lengths = np.array(self.steps)[:, None] + np.arange(3)
        np.savez(out, timesteps=self.steps, results=self.rewards, ep_lengths=lengths)
        return [Op("evaluations.npz", out.getvalue(), 0)]


KINDS = {"archive": Kind(_Archive, documents=True, many=40)}
