"""Event files, several a folder."""

from __future__ import annotations

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op
from tests.robustness.formats._tfrecord import double, frame, message, single, whole

FORMAT = "tensorboard"


class _Events(Counted):
    @property
    def name(self) -> str:
        """Of the file: the same whichever training writes it."""
        return f"events.out.tfevents.17000000{self.number:02d}.host.1.{self.number}"

    @property
    def now(self) -> float:
        """Unix seconds."""
        return 1.7e9 + 1000 * self.run + self.count

    def begin(self) -> list[Op]:
        return [Op(self.name, frame(double(1, self.now) + message(3, b"brain.Event:2")))]

    def record(self, step: int) -> list[Op]:
        loss, acc = self.next(2)
        values = message(1, message(1, b"loss") + single(2, loss))
        if self.count % 3 == 2:
            values += message(1, message(1, b"val/acc") + single(2, acc))
        event = double(1, self.now) + whole(2, step) + message(5, values)
        return [Op(self.name, frame(event))]


KINDS = {"files": Kind(_Events, several=True, packs=True, ordered=False)}
