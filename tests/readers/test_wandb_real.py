"""Real logs of W&B against the protobuf classes of its package, and a log of today's W&B."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.readers.wandb_reading import (
    column,
    read,
    steps_and_values,
)
from trainlens.readers import wandb
from trainlens.readers._wandb.reader import WandbLog
from trainlens.run import Run

REAL = Path(__file__).parents[3] / "shared" / "real_logs"


def strict_records(data: bytes) -> Iterator[bytes]:
    """Records of an undamaged file, written down from the format's description alone."""
    at, parts = 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        crc, size, kind = struct.unpack_from("<IHB", data, at)
        part = data[at + 7 : at + 7 + size]
        assert zlib.crc32(bytes([kind]) + part) == crc
        parts, at = parts + part, at + 7 + size
        if kind in (1, 4):
            yield parts
            parts = b""


def numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        if "_type" not in value:
            for key, child in value.items():
                yield from numbers(f"{name}.{key}", child)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, float(value)


def expected(path: Path) -> tuple[int, dict[str, list[float]]]:
    """Rows and values by name, through the package's own classes."""
    pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    rows, found = 0, {}
    for data in strict_records(path.read_bytes()):
        record = pb.Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind not in ("history", "stats"):
            continue
        rows += kind == "history"
        for item in getattr(record, kind).item:
            name = ".".join(getattr(item, "nested_key", ())) or item.key
            prefix = "system/" if kind == "stats" else ""
            for key, value in numbers(prefix + name, json.loads(item.value_json)):
                if key not in ("_step", "_runtime", "_timestamp", "epoch"):
                    found.setdefault(key, []).append(value)
    return rows, found


@pytest.mark.parametrize(
    "name", ["12tqian__gdp-objdetect", "22pilarskil__yolov5_test", "wandb__wandb"]
)
def test_real_files(name: str) -> None:
    if not REAL.is_dir():
        pytest.skip("the real logs are not here")
    rows = 0
    for path in sorted((REAL / "wandb" / name).rglob("*.wandb")):
        log = WandbLog(path)
        got = log.poll(final=True)
        count, values = expected(path)
        assert {c.name: c.value.tolist() for c in got.columns} == values
        assert not any(n.lost or n.kind == "corrupt" for n in got.notices)
        rows += count
        assert any("no row of history" in n.message for n in got.notices) == (count == 0)
    indexed = {"12tqian__gdp-objdetect": 207, "22pilarskil__yolov5_test": 4, "wandb__wandb": 0}
    assert rows == indexed[name]


def test_real_losses() -> None:
    if not REAL.is_dir():
        pytest.skip("the real logs are not here")
    (path,) = (REAL / "wandb" / "22pilarskil__yolov5_test").rglob("offline-run-*2chc5x75")
    run = Run("x", "x", "wandb").extend(read(path))
    assert run["box_loss", "train"].step.tolist() == [0, 1, 2]
    assert run["box_loss", "train"].value[-1] == 0.11739972978830338
    assert run.config["epochs"] == 3
    assert run.config["hyp"]["lr0"] == 0.01
    assert run.config["wandb"]["id"] == "2chc5x75"


SCRIPT = """
import json, math, wandb
run = wandb.init(project="p", name="today", config={"lr": 0.1, "m": {"d": [1, 2]}})
run.define_metric("val/*", step_metric="global_step")
for i in range(30):
    row = {"loss": 1 / (i + 1), "nan": math.nan, "inf": -math.inf, "n": {"a": i, "b": {"c": i / 8}}}
    run.log({**row, "global_step": 16 * i, "val/x": i * i, "epoch": i // 10, "s": "text"})
run.config.update({"late": True})
run.finish(exit_code=3)
"""


def test_todays_wandb(tmp_path: Path) -> None:
    pytest.importorskip("wandb.proto.wandb_internal_pb2")
    said = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}
    said |= {
        "HOME": str(tmp_path),
        "WANDB_X_DISABLE_STATS": "true",
        "WANDB_ERROR_REPORTING": "false",
    }
    command = [sys.executable, "-c", SCRIPT]
    try:
        done = subprocess.run(
            command, env={**os.environ, **said}, cwd=tmp_path, capture_output=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        pytest.skip("wandb does not start here")
    folders = list(tmp_path.glob("wandb/offline-run-*"))
    if not folders:
        pytest.skip(f"wandb does not run here: {done.stderr[-200:]!r}")
    got = read(folders[0])
    steps, values = steps_and_values(got, "loss")
    assert (steps, values) == (list(range(30)), [1 / (i + 1) for i in range(30)])
    assert all(math.isnan(v) for v in column(got, "nan").value)
    assert column(got, "inf").value.tolist() == [-math.inf] * 30
    assert column(got, "n.b.c").value.tolist() == [i / 8 for i in range(30)]
    assert steps_and_values(got, "val/x") == (
        [16 * i for i in range(30)],
        [i * i for i in range(30)],
    )
    assert column(got, "loss").epoch.tolist() == [i // 10 for i in range(30)]
    assert np.all(np.diff(column(got, "loss").wall_time) >= 0)
    assert {k: got.config[k] for k in ("lr", "m", "late")} == {
        "lr": 0.1,
        "m": {"d": [1, 2]},
        "late": True,
    }
    assert wandb.find(folders[0])[0].name == "today"
    assert [n.message for n in got.notices if n.kind == "unfinished"] == [
        "exit code 3: the run failed"
    ]


def test_claims_nothing_of_other_formats() -> None:
    if not REAL.is_dir():
        pytest.skip("the real logs are not here")
    claimed = {p for p in REAL.rglob("*") if wandb.sniff(p) > 0}
    logs = set((REAL / "wandb").rglob("*.wandb"))
    assert claimed == logs | {p.parent for p in logs}
