"""CatBoost: a document whose end each entry overwrites, and the tables beside it."""

from __future__ import annotations

import json

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op
from tests.robustness.formats.catboost import META

FORMAT = "catboost"
_END = b"\n]}"


class _Training(Counted):
    size = 0

    def begin(self) -> list[Op]:
        meta = json.dumps({**META, "name": f"experiment {self.run}"}).encode()
        text = b'{\n"meta":' + meta + b',\n"iterations":[\n'
        self.size = len(text)
        return [
            Op("catboost_info/catboost_training.json", text),
            Op("catboost_info/learn_error.tsv", b"iter\tLogloss\n"),
            Op("catboost_info/test_error.tsv", b"iter\tLogloss\n"),
        ]

    def record(self, step: int) -> list[Op]:
        learn, test = self.next(2)
        entry = {
            "learn": [learn],
            "iteration": self.count - 1,
            "passed_time": self.count / 8,
            "remaining_time": 1.5,
            "test": [test],
        }
        text = (b",\n" if self.count > 1 else b"") + json.dumps(entry).encode()
        keep, self.size = self.size, self.size + len(text)
        row = b"%d\t%r\n"
        return [
            Op("catboost_info/catboost_training.json", text + _END, keep),
            Op("catboost_info/learn_error.tsv", row % (self.count - 1, learn)),
            Op("catboost_info/test_error.tsv", row % (self.count - 1, test)),
        ]


KINDS = {"folder": Kind(_Training)}
