"""Tables: as Lightning writes them, by epoch alone, and one value a row."""

from __future__ import annotations

from tests.growth.formats._numbers import Counted
from tests.growth.world import Kind, Op

FORMAT = "csv"


class _Lightning(Counted):
    def begin(self) -> list[Op]:
        return [Op("metrics.csv", b"epoch,step,train_loss,val_loss\n")]

    def record(self, step: int) -> list[Op]:
        loss, val = self.next(2)
        place = b"%d,%d," % (step // 6, step)
        row = b",%.5f\n" % val if self.count % 6 == 5 else b"%.5f,\n" % loss
        return [Op("metrics.csv", place + row)]


class _Epochs(Counted):
    def begin(self) -> list[Op]:
        return [Op("training.csv", b"epoch,accuracy,loss,val_accuracy,val_loss\n")]

    def record(self, step: int) -> list[Op]:
        row = b",".join(b"%r" % value for value in self.next(4))
        return [Op("training.csv", b"%d,%s\n" % (step - 1, row))]


class _Long(Counted):
    def begin(self) -> list[Op]:
        return [Op("metrics.csv", b"run,metric,step,value\n")]

    def record(self, step: int) -> list[Op]:
        values = zip((b"loss", b"acc"), self.next(2), strict=True)
        rows = [b"r%d,%s,%d,%.6f\n" % (self.count % 2, name, step, v) for name, v in values]
        return [Op("metrics.csv", b"".join(rows))]


KINDS = {
    "wide": Kind(_Lightning, packs=True, crashes=True),
    "epochs": Kind(_Epochs, packs=True, crashes=True),
    "long": Kind(_Long, crashes=True),
}
