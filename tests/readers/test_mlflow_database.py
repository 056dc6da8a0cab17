"""MLflow's SQLite store: runs, points, growth, locks, damage, hostile schemas."""

from __future__ import annotations

import hashlib
import math
import os
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from trainlens.chunk import Chunk
from trainlens.errors import NotFound
from trainlens.readers import discover, mlflow
from trainlens.readers._mlflow import snapshot
from trainlens.readers._mlflow.database import DatabaseRun

START = 1_628_697_792_090
LARGEST = 1.7976931348623157e308
SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20),
  status VARCHAR(9), start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR(20),
  experiment_id INTEGER, CONSTRAINT run_pk PRIMARY KEY (run_uuid));
CREATE TABLE latest_metrics ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT,
  step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL,
  CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid));
CREATE TABLE metrics ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
  run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL,
  is_nan BOOLEAN DEFAULT '0' NOT NULL,
  CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan));
CREATE TABLE params ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL,
  run_uuid VARCHAR(32) NOT NULL, CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid));
CREATE TABLE tags ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000),
  run_uuid VARCHAR(32) NOT NULL, CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, "key", step);
INSERT INTO experiments VALUES (1, 'one');
"""
Points = dict[str, list[tuple[int, str, float]]]


def create(path: Path, runs: int = 2, status: str = "FINISHED") -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    for i in range(runs):
        row = (f"{i:032x}", f"run {i}", "LOCAL", status, START + i, START + i + 5, "active", 1)
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    return connection


def insert(connection: sqlite3.Connection, run: int, first: int, last: int) -> None:
    for i in range(first, last):
        rows = [("loss", i * 0.37), ("system/cpu", 50.0 + i)]
        connection.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            [(key, value, START + i, f"{run:032x}", i) for key, value in rows],
        )
    connection.commit()


def points(chunks: Iterable[Chunk]) -> Points:
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value.tolist(), c.wall_time.tolist(), strict=True)
            found.setdefault(c.name, []).extend((s, repr(v), t) for s, v, t in rows)
    return found


def truth(n: int) -> Points:
    return {
        "loss": [(i, repr(i * 0.37), (START + i) / 1e3) for i in range(n)],
        "system/cpu": [(i, repr(50.0 + i), (START + i) / 1e3) for i in range(n)],
    }


def read(path: Path) -> list[Chunk]:
    return [mlflow.open_source(s).poll(final=True) for s in mlflow.find(path)]


def state(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        p.name: (p.stat().st_size, p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in folder.iterdir()
    }


def test_runs_points_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "any.sqlite"
    with closing(create(path)) as connection:
        insert(connection, 0, 0, 10)
        insert(connection, 1, 0, 20)
        insert(connection, 0, 10, 15)
        run = f"{0:032x}"
        special = [("odd", 0.0, 1), ("odd", LARGEST, 0), ("odd", -LARGEST, 0), ("odd", 1e-300, 0)]
        for i, (key, value, nan) in enumerate(special):
            row = (key, value, START, run, i, nan)
            connection.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO params VALUES ('lr', '0.5', ?)", (run,))
        connection.execute("INSERT INTO tags VALUES ('team', 'x', ?)", (run,))
        connection.commit()
    assert mlflow.sniff(path) == 1
    found = discover(tmp_path)
    assert [(s.format, s.name, s.key) for s in found] == [
        ("mlflow", "run 0", run), ("mlflow", "run 1", f"{1:032x}")]  # fmt: skip
    assert mlflow.files(found[0]) == [path]
    first, second = read(path)
    assert points([second]) == truth(20)
    odd = next(c for c in first.columns if c.name == "odd")
    np.testing.assert_array_equal(odd.value, [math.nan, math.inf, -math.inf, 1e-300])
    assert {k: v for k, v in points([first]).items() if k != "odd"} == truth(15)
    assert {c.name for c in first.columns if c.kind == "system"} == {"system/cpu"}
    assert first.config["lr"] == 0.5
    assert first.config["mlflow"]["experiment"] == "one"
    assert first.config["mlflow"]["tags"] == {"team": "x"}
    assert first.config["mlflow"]["start_time"] == START / 1e3
    assert first.notices == second.notices == ()


def test_the_end_of_a_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(create(path, 3)) as connection:
        for i in range(3):
            insert(connection, i, 0, 2)
        connection.execute("UPDATE runs SET status = 'FAILED' WHERE name = 'run 0'")
        connection.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'run 1'")
        connection.commit()
    assert [[n.kind for n in c.notices] for c in read(path)] == [["unfinished"], ["assumed"], []]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_live_is_cold_and_nothing_is_touched(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "mlflow.db"
    with closing(create(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        source = mlflow.find(path)[0]
        reader = mlflow.open_source(source)
        chunks, done = [], 0
        for more in (0, 1, 7, 0, 30, 2):
            insert(connection, 0, done, done + more)
            insert(connection, 1, done, done + more)
            done += more
            before = state(tmp_path)
            chunks.append(reader.poll())
            assert state(tmp_path) == before
            assert points(chunks) == (truth(done) if done else {})
        before = state(tmp_path)
        chunks.append(reader.poll(final=True))
        assert points(read(path)[:1]) == truth(done)
        assert state(tmp_path) == before
        assert mode == "delete" or (path.with_name("mlflow.db-wal")).exists()
    assert points(chunks) == truth(done)
    assert not [n for c in chunks for n in c.notices]


def test_a_locked_database_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(create(path)) as connection:
        insert(connection, 0, 0, 5)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("DELETE FROM metrics")
        assert points(read(path)[:1]) == truth(5)
        connection.rollback()


def test_a_transaction_that_was_cut_off_is_taken_back(tmp_path: Path) -> None:
    path, copy = tmp_path / "a" / "mlflow.db", tmp_path / "b" / "mlflow.db"
    path.parent.mkdir()
    copy.parent.mkdir()
    with closing(create(path)) as connection:
        insert(connection, 0, 0, 300)
        connection.execute("PRAGMA cache_size=2")  # so that it spills into the file
        connection.execute("UPDATE metrics SET value = -1")
        for ending in ("", "-journal"):
            copy.with_name(f"mlflow.db{ending}").write_bytes(
                path.with_name(f"mlflow.db{ending}").read_bytes()
            )
        connection.rollback()
    before = state(copy.parent)
    assert set(before) == {"mlflow.db", "mlflow.db-journal"}
    assert points(read(copy)[:1]) == truth(300)
    assert state(copy.parent) == before


def test_deleted_and_rewritten_rows_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(create(path)) as connection:
        insert(connection, 1, 0, 5)
        insert(connection, 0, 0, 5)
        reader = mlflow.open_source(mlflow.find(path)[0])
        assert points([reader.poll()]) == truth(5)
        connection.execute("DELETE FROM metrics WHERE run_uuid = ?", (f"{1:032x}",))
        connection.commit()
        assert reader.poll().columns == ()
        connection.execute("DELETE FROM metrics")
        insert(connection, 0, 0, 4)
        chunk = reader.poll()
    assert points([chunk]) == truth(4)
    assert [n.kind for n in chunk.notices] == ["replaced"]


def test_a_store_of_the_first_versions(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT);"
            "CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT);"
            "INSERT INTO runs VALUES ('a', '');"
            "INSERT INTO metrics VALUES ('m', 1, 1500000000, 'a');"
            "INSERT INTO metrics VALUES ('m', 2, 1500000001, 'a');"
            "INSERT INTO metrics VALUES ('m', 'word', 1500000001, 'a');"
        )
    (chunk,) = read(path)
    assert points([chunk]) == {"m": [(0, "1.0", 1.5e9), (1, "2.0", 1500000001.0)]}
    assert sorted(n.kind for n in chunk.notices) == ["assumed", "corrupt"]
    assert sum(n.lost or 0 for n in chunk.notices) == 1


def test_without_an_index_a_copy_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_SMALL", 0)
    path = tmp_path / "mlflow.db"
    with closing(create(path)) as connection:
        connection.execute("DROP INDEX index_metrics_run_uuid")
        connection.execute("DROP INDEX index_metrics_run_uuid_key_step")
        insert(connection, 0, 0, 50)
    before = state(tmp_path)
    assert points(read(path)[:1]) == truth(50)
    assert state(tmp_path) == before
    with snapshot.opened(path) as database:
        plan = database.connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM metrics WHERE run_uuid = 'a'"
        ).fetchall()
    assert "trainlens_run" in str(plan)


def test_other_databases_are_not_claimed(tmp_path: Path) -> None:
    for name, script in {
        "a.db": "CREATE TABLE runs (run_uuid TEXT)",
        "b.db": "CREATE TABLE metrics (name TEXT); CREATE TABLE runs (id INTEGER)",
        "c.db": "CREATE TABLE x (a)",
    }.items():
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(script)
        assert mlflow.sniff(tmp_path / name) == 0
    (tmp_path / "d.db").write_bytes(snapshot.MAGIC + bytes(90))
    assert mlflow.sniff(tmp_path / "d.db") == 0


def test_a_database_without_runs_and_one_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    create(path, 0).close()
    (chunk,) = read(path)
    assert [n.kind for n in chunk.notices] == ["empty"]
    reader = DatabaseRun(path, "")
    reader.poll()
    path.unlink()
    assert [n.kind for n in reader.poll().notices] == ["unreadable"]
    with pytest.raises(NotFound, match="does not exist"):
        DatabaseRun(path, "a").poll()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "mlflow.db"
    with closing(create(path)) as connection:
        insert(connection, 0, 0, 600)
        insert(connection, 1, 0, 100)
    return path.read_bytes()


def test_a_damaged_page_costs_its_rows_alone(tmp_path: Path, whole: bytes) -> None:
    path, size = tmp_path / "mlflow.db", 4096
    total = sum(map(len, truth(600).values()))
    for page in range(2, len(whole) // size):
        path.write_bytes(whole[: page * size] + b"\xff" * size + whole[(page + 1) * size :])
        chunks = read(path)
        if len(chunks) < 2:
            continue  # the table of runs itself
        found = points(chunks[:1])
        held = {(k, p) for k, v in found.items() for p in v}
        assert held <= {(k, p) for k, v in truth(600).items() for p in v}
        if len(held) < total:
            assert "corrupt" in {n.kind for n in chunks[0].notices}
            assert len(held) >= total - 120 or not held


def test_a_truncated_database_gives_what_is_left(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "mlflow.db"
    most = 0
    for cut in range(8192, len(whole), 8192 + 100):
        path.write_bytes(whole[:cut])
        for chunk in read(path)[:1] if mlflow.sniff(path) else []:
            found = {(k, p) for k, v in points([chunk]).items() for p in v}
            assert found <= {(k, p) for k, v in truth(600).items() for p in v}
            assert chunk.notices or len(found) == 1200
            most = max(most, len(found))
    assert most > 600


def test_mutations_raise_nothing(tmp_path: Path, whole: bytes) -> None:
    path, rng = tmp_path / "mlflow.db", random.Random(2)
    for i in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3, 50])):
            at = rng.randrange(100 if i % 5 == 0 else len(data))
            data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        if mlflow.sniff(path):
            read(path)
    assert os.listdir(tmp_path) == ["mlflow.db"]


HOSTILE = {
    "view": "DROP TABLE metrics; CREATE VIEW metrics AS WITH RECURSIVE c(n) AS "
    "(SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT 'm' AS key, 1.0 AS value, 1 AS timestamp, "
    f"'{0:032x}' AS run_uuid, n AS step, 0 AS is_nan FROM c",
    "computed": "DROP TABLE metrics; CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT,"
    f" run_uuid TEXT DEFAULT '{0:032x}', step AS (length(zeroblob(999999999))));"
    "INSERT INTO metrics (key, value, timestamp) VALUES ('m', 1, 1)",
    "blobs": f"INSERT INTO metrics VALUES (zeroblob(900000), 1, 1, '{0:032x}', 1, 0);"
    f"INSERT INTO params VALUES ('p', zeroblob(90000), '{0:032x}')",
    "steps": f"INSERT INTO metrics VALUES ('m', 1, 1, '{0:032x}', {2**63 - 1}, 0)",
    "times": f"INSERT INTO metrics VALUES ('m', 1, 1e300, '{0:032x}', 3, 7)",
    "rowids": "DROP TABLE runs; CREATE TABLE runs (run_uuid TEXT PRIMARY KEY) WITHOUT ROWID;"
    "INSERT INTO runs VALUES ('a')",
}


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_hostile_contents_are_bounded(tmp_path: Path, script: str) -> None:
    path = tmp_path / "mlflow.db"
    with closing(create(path)) as connection:
        insert(connection, 0, 0, 5)
        connection.executescript(script)
    mlflow.sniff(path)
    chunks = read(path)
    assert all(len(c.step) <= 5 for chunk in chunks for c in chunk.columns)


def test_a_slow_database_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    create(path).close()
    ticks = iter(range(10**6))
    with snapshot.opened(path, clock=lambda: float(next(ticks))) as database:
        endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            sum(1 for _ in database.connection.execute(endless))
        assert database.too_slow()
