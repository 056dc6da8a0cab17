"""JSON: native and plain lines, an array that is written anew, one object of lists."""

from __future__ import annotations

import json
from typing import Any

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op
from trainlens.schema import end_line, header_line, record_line

FORMAT = "jsonl"


class _Native(Counted):
    def begin(self) -> list[Op]:
        config = {"lr": self.run / 8, "words": "a, {b}"}
        return [Op("run.jsonl", header_line(f"run-{self.run}", 1.7e9 + self.run, config, {}))]

    def record(self, step: int) -> list[Op]:
        loss, rate = self.next(2)
        split = "val" if self.count % 7 == 6 else "train"
        now = 1.7e9 + self.count
        line = record_line(step, now, {"loss": loss}, {"lr": rate}, split=split)
        # Now and then it is ended, and goes on later.
        end = [Op("run.jsonl", end_line(now))] if self.count % 5 == 4 else []
        return [Op("run.jsonl", line), *end]


class _Plain(Counted):
    def begin(self) -> list[Op]:
        return [
            Op("train.jsonl", b'{"model": "net", "optimizer": "adam", "seed": %d}\n' % self.run)
        ]

    def record(self, step: int) -> list[Op]:
        loss, val = self.next(2)
        row: dict[str, Any] = {"step": step, "epoch": step // 10, "loss": loss}
        if self.count % 5 == 4:
            row |= {"eval": {"loss": val}}
        return [Op("train.jsonl", json.dumps(row).encode() + b"\n")]


class _Array(Counted):
    """As Chainer's LogReport: the whole array at each record."""

    rows: tuple[dict[str, Any], ...] = ()

    def begin(self) -> list[Op]:
        return []

    def record(self, step: int) -> list[Op]:
        loss, val = self.next(2)
        row = {"epoch": step // 10, "iteration": step, "main/loss": loss}
        self.rows += ({**row, "validation/main/loss": val} if self.count % 4 == 3 else row,)
        return [Op("log", json.dumps(self.rows, indent=4).encode(), 0)]


class _Lists(Counted):
    """As a history of Keras that was dumped: a list a metric."""

    def __init__(self, run: int, number: int) -> None:
        super().__init__(run, number)
        self.lists: dict[str, list[float]] = {"loss": [], "val_loss": []}

    def begin(self) -> list[Op]:
        return []

    def record(self, step: int) -> list[Op]:
        for held, value in zip(self.lists.values(), self.next(2), strict=True):
            held.append(value)
        return [Op("history.json", json.dumps(self.lists).encode(), 0)]


KINDS = {
    "native": Kind(_Native, packs=True, crashes=True),
    "plain": Kind(_Plain, packs=True, crashes=True),
    "array": Kind(_Array, documents=True, many=40),
    "lists": Kind(_Lists, documents=True, many=40),
}
