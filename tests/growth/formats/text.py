"""Text: lines of names and values, and a bar that writes its states over one another."""

from __future__ import annotations

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op

FORMAT = "text"
NAME = "train.log"


class _Lines(Counted):
    def begin(self) -> list[Op]:
        return [Op(NAME, b"Training begins now\nlearning rate: %.3f\n" % (self.run / 100))]

    def record(self, step: int) -> list[Op]:
        loss, rate = self.next(2)
        line = b"step=%d loss=%.4f lr=%.5f\n" % (step, loss, rate)
        words = b"saved a checkpoint\n" if self.count % 9 == 4 else b""
        return [Op(NAME, line + words)]


class _Stamped(Counted):
    def begin(self) -> list[Op]:
        return [Op(NAME, b"2024-01-01 12:00:00,000 INFO run %d on 2 GPUs\n" % self.run)]

    def record(self, step: int) -> list[Op]:
        loss, val = self.next(2)
        minute, second = divmod(self.count % 3600, 60)
        line = b"2024-01-01 12:%02d:%02d,000 INFO " % (minute, second)
        if self.count % 6 == 5:
            return [Op(NAME, line + b"Epoch %d: val_loss: %.4f\n" % (step // 6, val))]
        return [Op(NAME, line + b"Epoch %d, Step %d: loss: %.4f\n" % (step // 6, step, loss))]


class _Bar(Counted):
    def begin(self) -> list[Op]:
        return [Op(NAME, b"Namespace(lr=%.3f)\n" % (self.run / 100))]

    def record(self, step: int) -> list[Op]:
        (loss,) = self.next(1)
        done, epoch = step % 20 or 20, (step - 1) // 20
        state = b"\rEpoch %d:  %2d%%|##   | %d/20 [00:01<00:09,  9.50it/s, loss=%.4f]"
        end = b"\n" if done == 20 else b""
        return [Op(NAME, state % (epoch, done * 5, done, loss) + end)]


KINDS = {
    "lines": Kind(_Lines, packs=True, crashes=True),
    "stamped": Kind(_Stamped, packs=True, crashes=True),
    "bar": Kind(_Bar, late="the last state of a bar waits for its next state, which may repeat it"),
}
