"""Rows a second of the JSON Lines reader against other ways to read the same file.

Run with ``python -m benchmarks jsonl_decode``. Every way reads the same file in the same run, in
turn, best of three by the clock; why a way has no figure is said.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import trainlens
from benchmarks.table import Row
from trainlens.readers._json import fast
from trainlens.schema import header_line, record_line

Way = Callable[[Path], Any]


def write_flat(path: Path, rows: int) -> None:
    """Flat records of four numbers."""
    rng = random.Random(1)
    with open(path, "w", encoding="utf-8") as file:
        for i in range(rows):
            row = {"step": i, "loss": rng.random(), "val_loss": rng.random(), "lr": 1e-4}
            file.write(json.dumps(row) + "\n")


def write_native(path: Path, rows: int) -> None:
    """Native records of six numbers, with their header; every thousandth loss is NaN."""
    rng = random.Random(1)
    with open(path, "wb") as file:
        file.write(header_line("bench", 1.7e9))
        for i in range(rows):
            losses = {"total_loss": rng.random() if i % 1000 else float("nan"), "kl": rng.random()}
            stats = {"alpha_mean": rng.random(), "valid_ratio": rng.random(), "lr": 1e-4}
            file.write(record_line(i, 1.7e9 + i, losses, stats, progress=i / rows))


def write_wide(path: Path, rows: int) -> None:
    """Flat records of a hundred numbers, a tenth as many."""
    rng = random.Random(2)
    with open(path, "w", encoding="utf-8") as file:
        for i in range(rows // 10):
            norms = {f"layer_{k}/grad_norm": rng.random() for k in range(99)}
            file.write(json.dumps({"step": i, **norms}) + "\n")


def read_trainlens(path: Path) -> Any:
    """Read with this project, from the file to its series."""
    return trainlens.load(path)


def read_in_python(path: Path) -> Any:
    """The same without the compiled scanner, as where there is no compiler."""
    compiled, fast.COMPILED = fast.COMPILED, False
    try:
        return trainlens.load(path)
    finally:
        fast.COMPILED = compiled


def read_json(path: Path) -> Any:
    """A loop over the standard library's parser, into one array a key."""
    return _columns(path, json.loads)


def read_orjson(path: Path) -> Any:
    """The same loop with orjson, which refuses NaN: those lines go to the standard library."""
    orjson = importlib.import_module("orjson")

    def loads(line: bytes) -> Any:
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            return json.loads(line)

    return _columns(path, loads)


def _columns(path: Path, loads: Callable[[bytes], Any]) -> dict[str, np.ndarray[Any, Any]]:
    found: dict[str, list[float]] = {}
    with open(path, "rb") as file:
        for line in file:
            row = loads(line)
            parts = (row, row.get("losses", {}), row.get("stats", {}))
            for key, value in (item for part in parts for item in part.items()):
                if isinstance(value, (int, float)):
                    found.setdefault(key, []).append(value)
    return {key: np.array(values) for key, values in found.items()}


def read_pandas(path: Path) -> Any:
    """Read with pandas."""
    return importlib.import_module("pandas").read_json(path, lines=True)


def read_polars(path: Path) -> Any:
    """Read with polars."""
    return importlib.import_module("polars").read_ndjson(path)


def read_duckdb(path: Path) -> Any:
    """Read with duckdb."""
    query = "select * from read_json_auto(?, format = 'newline_delimited')"
    return importlib.import_module("duckdb").execute(query, [str(path)]).fetchnumpy()


def read_pyarrow(path: Path) -> Any:
    """Read with pyarrow."""
    return importlib.import_module("pyarrow.json").read_json(path)


WAYS: dict[str, Way] = {
    "trainlens": read_trainlens,
    "trainlens without compiler": read_in_python,
    "json loop": read_json,
    "orjson loop": read_orjson,
    "pandas": read_pandas,
    "polars": read_polars,
    "duckdb": read_duckdb,
    "pyarrow": read_pyarrow,
}


RIVALS = ("pandas", "polars", "duckdb", "pyarrow")
"""Those that trainlens is not to be slower than."""

KINDS = {"flat": write_flat, "native": write_native, "wide": write_wide}


def best_times(path: Path, repeat: int) -> dict[str, float | str]:
    """Seconds of the fastest of `repeat` rounds of each way, or why it has no figure."""
    best: dict[str, float | str] = {}
    for name in list(WAYS) * repeat:
        if isinstance(best.get(name), str):
            continue
        begin = time.perf_counter()
        try:
            WAYS[name](path)
        except ImportError:
            best[name] = "not installed"
            continue
        # Each library refuses NaN, a header or nothing with an error class of its own.
        except Exception as error:
            best[name] = f"refuses it: {type(error).__name__}"
            continue
        took = time.perf_counter() - begin
        known = best.get(name, took)
        best[name] = took if isinstance(known, str) else min(known, took)
    return best


def results(quick: bool = False) -> list[Row]:
    """Measure each kind of file against every other way to columns.

    Parameters
    ----------
    quick : bool
        Small files, to see that all works.
    """
    rows: list[Row] = []
    for kind, write in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.jsonl"
            write(path, 10_000 if quick else 300_000)
            best = best_times(path, 1 if quick else 3)
            work = f"JSON Lines, {kind}, {path.stat().st_size / 1e6:.0f} MB, to columns"
            rows += _rows(work, best)
    return rows


def _rows(work: str, best: dict[str, float | str]) -> list[Row]:
    ours = best["trainlens"]
    assert not isinstance(ours, str), f"trainlens {ours}"
    return [
        Row(work, name, math.nan, ours, note=took)
        if isinstance(took, str)
        else Row(work, name, took, ours, ">= 1x" if name in RIVALS else "")
        for name, took in best.items()
        if name != "trainlens"
    ]
