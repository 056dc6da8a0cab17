"""MLflow: a file a metric, and a database."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from tests.growth.formats._numbers import Counted, numbers
from tests.growth.world import GROWTH, Kind, Op
from tests.robustness.formats import mlflow_sqlite

FORMAT = "mlflow"
RUN = "mlruns/1/ed05f9cd599442fe9a0c9222184710b8"
NAMES = ("loss", "val_acc", "lr", "grad_norm", "val/loss", "system/cpu", "acc", "time")
ABOUT = (
    b"artifact_uri: ''\nend_time: null\nexperiment_id: '1'\nlifecycle_stage: active\n"
    b"name: run %d\nrun_id: ed05f9cd599442fe9a0c9222184710b8\nstart_time: 1700000000000\n"
    b"status: 1\ntags: []\nuser_id: someone\n"
)


class _Metric(Counted):
    """One file of the store; the first writer describes the run."""

    def begin(self) -> list[Op]:
        if self.number:
            return []
        rate = b"%.3f" % (self.run / 8)
        return [Op(f"{RUN}/meta.yaml", ABOUT % self.run), Op(f"{RUN}/params/lr", rate)]

    def record(self, step: int) -> list[Op]:
        (value,) = self.next(1)
        line = b"%d %r %d\n" % (1_700_000_000_000 + 1000 * self.count, value, self.place(step))
        return [Op(f"{RUN}/metrics/{NAMES[self.number]}", line)]

    def place(self, step: int) -> int:
        """The step that is logged."""
        return step


class _Stepless(_Metric):
    def place(self, step: int) -> int:
        return 0


class Database:
    """A database of two runs: rows that are added, deleted, rolled back, in a log or a journal.

    Parameters
    ----------
    folder : Path
    kind : Kind
    """

    complete = ordered = True

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.path = folder / "watched"
        self.path.mkdir()
        self._folder = folder
        self._place = self.path / "mlflow.db"
        self._count = 0
        self._step = 0
        self._base: sqlite3.Connection | None = None
        self._away_now = False
        self._make(self._place)

    verbs: ClassVar = {
        **GROWTH, "other": 2, "truncate": 1, "replace": 1, "away": 1, "back": 2, "crash": 1,
        "journal": 1,
    }  # fmt: skip

    def do(self, verb: str, rng: random.Random) -> None:
        """Make something happen."""
        getattr(self, f"_{verb}")(rng)
        self.complete = not self._away_now

    def close(self) -> None:
        """No connection stays open."""
        if self._base is not None:
            self._base.close()
            self._base = None

    def _make(self, place: Path) -> None:
        template = self._folder / "template.db"
        if not template.exists():
            with closing(sqlite3.connect(template)) as base, base:
                base.executescript(mlflow_sqlite._SCHEMA)
                base.execute("INSERT INTO experiments VALUES (1, 'x', '', 'active')")
                for name in "ab":
                    base.execute(
                        "INSERT INTO runs VALUES (?, ?, '', '', '', 'u', 'RUNNING', ?, NULL, '', "
                        "'active', '', 1, NULL)",
                        (name * 32, name, 1_700_000_000_000),
                    )
        shutil.copyfile(template, place)

    @property
    def _open(self) -> sqlite3.Connection:
        if self._base is None:
            self._base = sqlite3.connect(self._place, isolation_level=None)
        return self._base

    def _rows(self, many: int, run: str = "a") -> None:
        if not self._open.in_transaction:
            self._open.execute("BEGIN")
        for _ in range(many):
            self._count += 1
            self._step += 1
            now = 1_700_000_000_000 + 1000 * self._count
            for name, value in zip(("loss", "acc"), numbers(1, self._count, 2), strict=True):
                row = (name, value, now, run * 32, self._step)
                self._open.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", row)

    def _finish(self, rng: random.Random) -> None:
        if self._open.in_transaction:
            self._open.execute("COMMIT")

    def _append(self, rng: random.Random) -> None:
        self._rows(rng.randint(1, 4))
        self._finish(rng)

    def _many(self, rng: random.Random) -> None:
        self._rows(rng.randint(1, 80))
        self._finish(rng)

    def _tear(self, rng: random.Random) -> None:
        self._rows(rng.randint(1, 4))

    def _crash(self, rng: random.Random) -> None:
        if self._open.in_transaction:
            self._open.execute("ROLLBACK")

    def _other(self, rng: random.Random) -> None:
        self._rows(rng.randint(1, 4), "b")
        self._finish(rng)

    def _restart(self, rng: random.Random) -> None:
        self._step = rng.randrange(self._step + 1)

    def _truncate(self, rng: random.Random) -> None:
        self._open.execute("DELETE FROM metrics WHERE run_uuid = ?", ("a" * 32,))
        self._append(rng)

    def _replace(self, rng: random.Random) -> None:
        self._finish(rng)
        self.close()
        new = self._folder / "new.db"
        self._make(new)
        new.replace(self._place)
        self._append(rng)

    def _journal(self, rng: random.Random) -> None:
        self._finish(rng)
        self._open.execute(f"PRAGMA journal_mode={rng.choice(['wal', 'delete'])}").fetchone()

    def _away(self, rng: random.Random) -> None:
        if not self._away_now:
            self._move(self._folder / "mlflow.db", rng)

    def _back(self, rng: random.Random) -> None:
        if self._away_now:
            self._move(self.path / "mlflow.db", rng)

    def _move(self, place: Path, rng: random.Random) -> None:
        self._finish(rng)
        self.close()
        self._away_now = place.parent != self.path
        self._place = self._place.replace(place)


KINDS = {
    "files": Kind(_Metric, several=True, crashes=True),
    "stepless": Kind(_Stepless, several=True),
    "database": Kind(world=Database),
}
