"""Rows a second of the JSON Lines reader against other ways to read the same file.

Run with ``python -m benchmarks.jsonl_decode [--rows N] [--repeat K]``. Every way reads the same
file in the same run, best of K; a way that is not installed or refuses the file is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.readers import jsonl
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


def read_trainlens(path: Path) -> Any:
    """Read with the reader of this project."""
    return jsonl.JsonLines(path).poll(final=True).columns


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
    "json loop": read_json,
    "orjson loop": read_orjson,
    "pandas": read_pandas,
    "polars": read_polars,
    "duckdb": read_duckdb,
    "pyarrow": read_pyarrow,
}


def best_time(way: Way, path: Path, repeat: int) -> float | str:
    """Seconds of the fastest of `repeat` tries, or why there is no figure."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.perf_counter()
        try:
            way(path)
        except ImportError:
            return "not installed"
        # Each library refuses NaN, a header or nothing with an error class of its own.
        except Exception as error:
            return f"refuses: {type(error).__name__}"
        best = min(best, time.perf_counter() - begin)
    return best


def main() -> None:
    """Print one table a kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    for kind, write in (("flat", write_flat), ("native", write_native)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.jsonl"
            write(path, options.rows)
            print(f"{kind}: {options.rows} rows, {path.stat().st_size / 1e6:.0f} MB")
            own = None
            for name, way in WAYS.items():
                took = best_time(way, path, options.repeat)
                if isinstance(took, str):
                    print(f"  {name:12} {took}")
                    continue
                own = took if own is None else own
                rate = options.rows / took
                print(
                    f"  {name:12} {took:7.3f} s {rate:12,.0f} rows/s  {took / own:5.2f}x our time"
                )


if __name__ == "__main__":
    main()
