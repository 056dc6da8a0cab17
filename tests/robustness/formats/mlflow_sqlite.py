"""MLflow's SQLite store. SQLite pages prove nothing: reading must end, and silence is no option."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point

FORMAT = "mlflow"
NAME = "mlflow.db"
_SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256),
    artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
    source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256),
    status VARCHAR(9), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50),
    lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER,
    deleted_time BIGINT);
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL,
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32),
    PRIMARY KEY (key, run_uuid));
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(5000), run_uuid VARCHAR(32),
    PRIMARY KEY (key, run_uuid));
"""


def write(folder: Path, rng: random.Random) -> Log:
    """A database of one run with two metrics."""
    run, place = "a" * 32, folder / NAME
    place.unlink(missing_ok=True)
    points = []
    with closing(sqlite3.connect(place)) as base, base:
        base.executescript(_SCHEMA)
        base.execute("INSERT INTO experiments VALUES (1, 'x', '', 'active')")
        about = (run, "a", "LOCAL", "", "", "u", "FINISHED", 1_700_000_000_000, 1_700_000_100_000)
        row = (*about, "", "active", "", 1, None)
        base.execute(f"INSERT INTO runs VALUES ({','.join('?' * len(row))})", row)
        base.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (run,))
        for i in range(120):
            for name in ("loss", "acc"):
                value = rng.random()
                moment = 1_700_000_000_000 + 1000 * i
                base.execute(
                    "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", (name, value, moment, run, i)
                )
                points.append(Point(name, None, i, value))
    data = place.read_bytes()
    file = LogFile(NAME, data, "pages", run=run)
    return Log(FORMAT, (file,), NAME, {run: tuple(points)})


def hostile(rng: random.Random) -> dict[str, bytes]:
    """A header that promises more than there is."""
    header = b"SQLite format 3\0" + bytes(84)
    return {"header": header + bytes(1 << 20), "noise": header + rng.randbytes(1 << 20)}
