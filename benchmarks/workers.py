"""One process, several, and a Dask cluster on this machine: the same answer, byte for byte."""

from __future__ import annotations

import importlib.util
import math
import tempfile
from pathlib import Path

from benchmarks.logs import write_jsonl
from benchmarks.process import TRAINLENS, fastest
from benchmarks.table import Row

_RUNS = 200
PLACES = {
    "--workers 1": ("--workers", "1"),
    "--workers 2": ("--workers", "2"),
    "--engine dask --workers 2": ("--engine", "dask", "--workers", "2"),
}


def results(quick: bool = False) -> list[Row]:
    """A row a place, against one process.

    Raises
    ------
    ValueError
        If two places do not say the same.
    """
    points = 1_000 if quick else 20_000
    work = f"diagnose --json, {_RUNS} runs x {points:,} points x 3 metrics"
    with tempfile.TemporaryDirectory() as place:
        for seed in range(_RUNS):
            write_jsonl(Path(place) / f"run{seed:03}.jsonl", points, seed=seed)
        command = [*TRAINLENS, "diagnose", "--json", place]
        found: list[Row] = []
        first = None
        for name, options in PLACES.items():
            if "dask" in name and importlib.util.find_spec("distributed") is None:
                found.append(Row(work, name, math.nan, math.nan, note="dask: not installed"))
                continue
            took = fastest([*command, *options], 2)
            first = first or took
            if took.output != first.output:
                raise ValueError(f"{name} does not say the same as --workers 1")
            note = f"{took.cpu:.1f} s of CPU, {took.peak / 1e6:.0f} MB; output equal"
            found.append(Row(f"{work}, {name}", *_against(first.seconds, took.seconds), note=note))
        return found


def _against(first: float, seconds: float) -> tuple[str, float, float]:
    return "--workers 1", first, seconds
