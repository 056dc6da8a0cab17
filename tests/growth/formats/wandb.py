"""The log of W&B: records in blocks of 32 KiB."""

from __future__ import annotations

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op
from tests.readers import wandb_writer as ww
from tests.robustness.formats.wandb import chunked

FORMAT = "wandb"
NAME = "run-20240101_000000-abc12345/run-abc12345.wandb"


class _Log(Counted):
    at = 0
    num = 0

    def begin(self) -> list[Op]:
        self.at = len(ww.MAGIC)
        first = ww.run(f"run {self.run}", {"lr": self.run / 8})
        # Output before the history: some records then lie across the end of a block.
        output = ww.blob(4, ww.blob(3, b"x" * (32_000 - 20 * (self.run % 40))))
        return [Op(NAME, ww.MAGIC), *self._put(first, output)]

    def record(self, step: int) -> list[Op]:
        loss, acc = self.next(2)
        values = {"loss": loss, "_step": step, "_timestamp": 1.7e9 + self.count}
        row = ww.history({**values, "val/acc": acc} if self.count % 3 == 2 else values, step)
        return self._put(row)

    def _put(self, *bodies: bytes) -> list[Op]:
        left = ww.BLOCK - self.at % ww.BLOCK
        padding = bytes(left if left < 7 else 0)
        data = padding + chunked(list(bodies), self.at + len(padding))[0]
        self.at += len(data)
        return [Op(NAME, data)]


KINDS = {"log": Kind(_Log)}
