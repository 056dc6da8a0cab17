"""MLPerf: records between other output."""

from __future__ import annotations

import json

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op

FORMAT = "mlperf"
NAME = "result_0.txt"


class _Log(Counted):
    def begin(self) -> list[Op]:
        first = b"Launching on node 1\n" + self._line("global_batch_size", 256)
        return [Op(NAME, first + self._line("seed", self.run))]

    def record(self, step: int) -> list[Op]:
        (value,) = self.next(1)
        words = b"+ echo some words\n" if self.count % 5 == 2 else b""
        return [Op(NAME, self._line("eval_accuracy", value, step_num=step) + words)]

    def _line(self, key: str, value: object, **place: object) -> bytes:
        record = {
            "namespace": "",
            "time_ms": 1_700_000_000_000 + 10 * self.count,
            "event_type": "POINT_IN_TIME",
            "key": key,
            "value": value,
            "metadata": {"file": "train.py", "lineno": 7, **place},
        }
        return b":::MLLOG " + json.dumps(record).encode() + b"\n"


KINDS = {"log": Kind(_Log, packs=True, crashes=True)}
