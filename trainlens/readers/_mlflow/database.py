"""A run of MLflow's SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._columns import Columns, Key
from trainlens.readers._mlflow.about import config_of, notices_of, run_name, unix_times
from trainlens.readers._mlflow.rows import Found, Row, columns_of, select
from trainlens.readers._mlflow.snapshot import MAGIC, Database, Signature, Spoilt, opened, signature
from trainlens.readers._mlflow.stepless import ZeroSteps
from trainlens.readers._values import LARGEST
from trainlens.readers.base import head
from trainlens.words import plural

_T = TypeVar("_T")
_NEEDED = frozenset({"key", "value", "timestamp", "run_uuid"})
_RUN_FIELDS = (
    "run_uuid",
    "name",
    "status",
    "start_time",
    "end_time",
    "lifecycle_stage",
    "experiment_id",
)
_INFINITE = 1.7976931348623157e308
"""How MLflow stores an infinity: the largest number of the format."""

_KEY = "substr(key, 1, 1000)"
_TEXT = "substr(value, 1, 65536)"
_TRIES = 4


def database_confidence(path: Path) -> float:
    """Confidence in [0, 1] that a file is a store: 1 by its tables, 0.97 where it is damaged."""
    start = head(path)
    if not start.startswith(MAGIC):
        return 0.0
    try:
        with opened(path) as database:
            if {*columns_of(database, "metrics")} >= _NEEDED and columns_of(database, "runs"):
                return 1.0
    except (sqlite3.DatabaseError, Spoilt):
        pass  # the schema itself is damaged: its first bytes decide
    named = b"latest_metrics" in start and b"run_uuid" in start
    return 0.97 if named else 0.0


def runs_of(path: Path) -> list[tuple[str, str]]:
    """Identifier and name of every run in a store, the oldest first; empty where none is read."""

    def look(database: Database) -> list[tuple[str, str]]:
        names = dict(_texts(database, "tags", "key = 'mlflow.runName'", (), "run_uuid").pairs)
        fields = _run_fields(database)
        rows = select(database, "runs", fields.sql).rows if fields.names else []
        infos = [fields.named(row) for row in rows]
        infos.sort(key=lambda info: _moment(info.get("start_time")))
        found = {i["run_uuid"]: i for i in infos if isinstance(i.get("run_uuid"), str)}
        return [(k, run_name({"mlflow.runName": names.get(k, "")}, i)) for k, i in found.items()]

    try:
        found = _settled(path, look, True)
    except (sqlite3.DatabaseError, OSError):
        return []
    return found[0] if found else []


def _moment(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _settled(path: Path, look: Callable[[Database], _T], final: bool) -> tuple[_T, bool] | None:
    """What a look at a database shows, and whether its writer left it alone meanwhile.

    Without `final`, None where it did not: the next poll will show more.
    """
    for attempt in range(_TRIES):
        try:
            before = signature(path)
            with opened(path) as database:
                seen = look(database)
            same = signature(path) == before
        except Spoilt:
            continue
        if same or (final and attempt == _TRIES - 1):
            return seen, same
    return None


class _Fields(NamedTuple):
    names: tuple[str, ...]

    @property
    def sql(self) -> str:
        return ", ".join(self.names)

    def named(self, row: Row) -> dict[str, Any]:
        return dict(zip(self.names, row[1:], strict=True))


def _run_fields(database: Database) -> _Fields:
    there = columns_of(database, "runs")
    return _Fields(tuple(name for name in _RUN_FIELDS if name in there))


class _Pairs(NamedTuple):
    pairs: list[tuple[str, str]]
    damage: str


def _texts(database: Database, table: str, where: str, values: Row, key: str = _KEY) -> _Pairs:
    """Pairs of texts of a table; those that are no texts are left out."""
    if not {"key", "value", "run_uuid"} <= {*columns_of(database, table)}:
        return _Pairs([], "")
    found = select(database, table, f"{key}, {_TEXT}", where, values)
    pairs = [(k, str(v)) for _, k, v in found.rows if isinstance(k, str) and v is not None]
    return _Pairs(pairs, found.damage)


class _Seen(NamedTuple):
    """One look at a run."""

    points: Found
    restarted: bool
    info: dict[str, Any]
    params: _Pairs
    tags: _Pairs
    unread: str


class DatabaseRun:
    """Reads one run of a store; `poll` again for the points that were added since.

    Parameters
    ----------
    path : Path
        The database.
    run : str
        Its identifier, ``run_uuid``; empty where the database names none.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._run = run
        self._columns = Columns()
        self._last: Row | None = None
        self._rows: dict[str, int] = {}
        self._zeros: dict[str, ZeroSteps] = {}
        self._assumed = False
        self._signature: Signature | None = None
        self._config: dict[str, Any] = {}
        self._notices: list[Notice] = []
        self._told: set[str] = set()

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the database cannot be opened the first time.
        """
        config: dict[str, Any] = {}
        try:
            now = signature(self._path)
            if final or now != self._signature:
                config = self._look(final)
                self._signature = now
        except OSError as error:
            self._refused(error)
        except sqlite3.DatabaseError as error:
            self._once("corrupt", f"cannot be read as a database ({error})")
        if final:
            self._close()
        notices, self._notices = tuple(self._notices), []
        return Chunk(self._columns.take(), config, notices)

    def _look(self, final: bool) -> dict[str, Any]:
        settled = _settled(self._path, self._see, final)
        if settled is None:
            return {}
        seen, same = settled
        if not same:
            self._once("assumed", "its writer changed it while it was read", 0)
        self._take(seen)
        if final:
            self._judge(seen)
        if not seen.info and not seen.params.pairs and not seen.tags.pairs:
            return {}
        params, tags = dict(seen.params.pairs), dict(seen.tags.pairs)
        config = config_of(params, tags, {"run_uuid": self._run, **seen.info})
        new = config if config != self._config else {}
        self._config = config
        return new

    def _see(self, database: Database) -> _Seen:
        where, values = "run_uuid = ?", (self._run,)
        fields = _run_fields(database)
        rows = select(database, "runs", fields.sql, where, values).rows if fields.names else []
        info = fields.named(rows[-1]) if rows else {}
        experiment = info.get("experiment_id")
        if experiment is not None and "name" in columns_of(database, "experiments"):
            found = select(database, "experiments", "name", "experiment_id = ?", (experiment,)).rows
            info["experiment"] = found[0][1] if found and isinstance(found[0][1], str) else None
        points, restarted = self._points(database)
        params = _texts(database, "params", where, values)
        tags = _texts(database, "tags", where, values)
        return _Seen(points, restarted, info, params, tags, database.unread)

    def _points(self, database: Database) -> tuple[Found, bool]:
        there = columns_of(database, "metrics")
        if not there:
            return Found([], "it is missing"), False
        optional = [name if name in there else "NULL" for name in ("step", "is_nan")]
        fields = ", ".join([_KEY, "value", "timestamp", *optional])
        last, restarted = self._last, False
        if last is not None:
            where = ("rowid = ? AND run_uuid = ?", (last[0], self._run))
            restarted = select(database, "metrics", fields, *where).rows != [last]
        after = 0 if last is None or restarted else last[0]
        found = select(
            database, "metrics", fields, "run_uuid = ? AND rowid > ?", (self._run, after)
        )
        return found, restarted

    def _take(self, seen: _Seen) -> None:
        if seen.restarted:
            self._note("replaced", "rows were deleted or moved; the run was read anew")
            self._rows, self._zeros, self._last = {}, {}, None
        rows = seen.points.rows
        if rows:
            self._last = rows[-1]
        good = rows if _all_points(rows) else [row for row in rows if _all_points([row])]
        if len(good) < len(rows):
            lost = len(rows) - len(good)
            self._note("corrupt", f"{plural(lost, 'row')} of metrics without a number", lost)
        by_key: dict[str, list[Row]] = {}
        for row in good:
            by_key.setdefault(row[1], []).append(row)
        for key, held in by_key.items():
            self._add(key, held)

    def _add(self, key: str, rows: Sequence[Row]) -> None:
        _, _, value, stamp, step, is_nan = zip(*rows, strict=True)
        values = np.array(value, np.float64)
        infinite = np.abs(values) >= _INFINITE
        values[infinite] = np.copysign(np.inf, values[infinite])
        values[np.array([bool(flag) for flag in is_nan])] = np.nan
        before = self._rows.get(key, 0)
        self._rows[key] = before + len(rows)
        if None in step:
            self._assumed = True
            step = tuple(i if s is None else s for i, s in enumerate(step, before))
        steps = np.array(step, np.int64)
        zeros = self._zeros.setdefault(key, ZeroSteps())
        if not self._assumed:
            steps = zeros(steps)
        times = unix_times(np.array(stamp, np.float64))
        self._columns.add(
            Key(key, kind="system" if key.startswith("system/") else ""), steps, values, times
        )

    def _judge(self, seen: _Seen) -> None:
        parts = {
            "metrics": seen.points.damage,
            "params": seen.params.damage,
            "tags": seen.tags.damage,
        }
        for table, damage in parts.items():
            if damage:
                self._once("corrupt", f"table {table}: {damage}")
        if seen.unread:
            self._once("skipped", f"not read: {seen.unread}")
        if self._run and not seen.info:
            self._once("corrupt", "the run's own row cannot be read; name and status are unknown")
        where = f"{self._path.name}, run {self._run[:8]}"
        self._notices += notices_of(seen.info, where)

    def _close(self) -> None:
        if self._assumed or any(zeros.counted for zeros in self._zeros.values()):
            self._note("assumed", "metrics without steps: the number of the row counts as step")
        if not self._rows and not self._notices and not self._told:
            self._note("empty", "no metrics" if self._run else "no runs in this database")

    def _refused(self, error: OSError) -> None:
        if self._signature is not None:
            self._once("unreadable", "the database is gone; what was read of it is kept", 0)
        elif isinstance(error, FileNotFoundError):
            raise NotFound(self._path, "does not exist", "check the path") from None
        else:
            reason = (error.strerror or "cannot be opened").lower()
            raise Unreadable(self._path, reason, "check the permissions") from None

    def _once(self, kind: str, text: str, lost: int | None = None) -> None:
        if text not in self._told:
            self._told.add(text)
            self._note(kind, text, lost)

    def _note(self, kind: str, text: str, lost: int | None = 0) -> None:
        where = f"{self._path.name}, run {self._run[:8]}" if self._run else self._path.name
        self._notices.append(Notice(kind, where, text, lost))


def _all_points(rows: Sequence[Row]) -> bool:
    """Whether every row has a name, a number, a time and a step within bounds."""
    if not rows:
        return True
    _, key, value, stamp, step, is_nan = zip(*rows, strict=True)
    return (
        {*map(type, key)} == {str}
        and {*map(type, value)} <= {int, float}
        and {*map(type, stamp)} <= {int, float}
        and {*map(type, is_nan)} <= {int, type(None)}
        and {*map(type, step)} <= {int, type(None)}
        and all(s is None or -LARGEST < s < LARGEST for s in {*step})
    )
