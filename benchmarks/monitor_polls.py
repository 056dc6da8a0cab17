"""One poll of a growing log: with one new record, and with nothing new.

Run with ``python -m benchmarks monitor_polls``. Each log has 20,000 records of eight values when
it is first read; then it grows by one record at a time, and every poll is timed (the median
counts). Beside it stands what others do to see the new record: read the whole log again, line by
line with the standard library; for TensorBoard ``EventAccumulator.Reload``, which goes on where
it ended. A folder of event files is also read as one of four, three of which have ended.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import events, wandb_log
from benchmarks.logs import NAMES, curves
from benchmarks.table import Row
from trainlens.readers import discover, open_source
from trainlens.readers._still import SURE

_ROWS, _POLLS = 20_000, 300
_ONE, _NONE = "<= 0.15 ms", ""
_PAIRS = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Log:
    """A log that grows.

    Parameters
    ----------
    name : str
    path : str
        Of the file that grows, within its folder.
    begin : bytes
        What stands before its records.
    records : callable
        Records ``first`` to ``last`` (not counted) as they stand in the file.
    again : callable or None
        How a peer sees what is new, made for the path of the folder.
    peer, note : str
    """

    name: str
    path: str
    begin: bytes
    records: Callable[[int, int], bytes]
    again: Callable[[Path], Callable[[], Any]] | None
    peer: str
    note: str = ""


def results(quick: bool = False) -> list[Row]:
    """Two rows for each format."""
    rows, polls = (500, 20) if quick else (_ROWS, _POLLS)
    values = curves(rows + polls, len(NAMES), 0)
    found: list[Row] = []
    for log in _logs(values):
        with tempfile.TemporaryDirectory() as place:
            found += _rows(log, Path(place), rows, polls)
    return found


def _rows(log: Log, folder: Path, rows: int, polls: int) -> Iterator[Row]:
    (folder / log.path).write_bytes(log.begin + log.records(0, rows))
    if log.name.endswith("four files"):
        for number in range(3):
            ended = folder / f"events.out.tfevents.{number}.host"
            ended.write_bytes(events.version_record(1.6e9 + number) + log.records(0, rows // 10))
    (source,) = discover(folder).sources
    reader = open_source(source)
    reader.poll()
    # A folder in which nothing was done for so long need not be listed at each poll.
    time.sleep(1.1 * SURE)
    reader.poll()
    one, none = _grow(log, folder, reader.poll, rows, polls)
    theirs, note = _again(log, folder)
    yield Row(f"{log.name}, one record", log.peer, theirs, one, _ONE, note, "ms")
    yield Row(f"{log.name}, nothing new", "", math.nan, none, _NONE, "", "ms")


def _grow(
    log: Log, folder: Path, poll: Callable[[], Any], rows: int, polls: int
) -> tuple[float, float]:
    """Milliseconds of a poll with one new record, and of one with none."""
    one: list[float] = []
    none: list[float] = []
    with open(folder / log.path, "ab", buffering=0) as file:
        for step in range(rows, rows + polls):
            file.write(log.records(step, step + 1))
            for took in (one, none):
                begin = time.perf_counter()
                poll()
                took.append(time.perf_counter() - begin)
    return 1e3 * median(one), 1e3 * median(none)


def _again(log: Log, folder: Path) -> tuple[float, str]:
    """Milliseconds in which a peer sees the new record, the best of three; NaN without a peer."""
    if log.again is None:
        return math.nan, log.note
    try:
        again = log.again(folder)
    except ImportError:
        return math.nan, "not installed"
    took = []
    for step in range(3):
        with open(folder / log.path, "ab") as file:
            file.write(log.records(step, step + 1))
        begin = time.perf_counter()
        again()
        took.append(time.perf_counter() - begin)
    return 1e3 * min(took), log.note


def _logs(values: NDArray[np.float64]) -> Iterator[Log]:
    head = ("step," + ",".join(NAMES) + "\n").encode()
    texts = {
        "JSON Lines": ("run.jsonl", b"", _json_line, _json_again),
        "text": ("train.log", b"", _text_line, _text_again),
        "CSV": ("metrics.csv", head, _csv_line, _csv_again),
    }
    for name, (path, begin, line, reread) in texts.items():
        records = _lines(line, values)
        yield Log(name, path, begin, records, _of(path, reread), "the file read again")
    path = "events.out.tfevents.9.host"
    singles = values.astype("<f4")

    def framed(first: int, last: int) -> bytes:
        return events.records(first, singles[first:last], NAMES)

    for name in ("TensorBoard", "TensorBoard, four files"):
        alone = name == "TensorBoard"
        again, peer = (_accumulator, "EventAccumulator.Reload") if alone else (None, "")
        yield Log(name, path, events.version_record(), framed, again, peer)
    yield _wandb(values)


def _lines(
    line: Callable[[int, list[float]], str], values: NDArray[np.float64]
) -> Callable[[int, int], bytes]:
    def records(first: int, last: int) -> bytes:
        rows = zip(range(first, last), values[first:last].tolist(), strict=True)
        return "".join(line(step, row) for step, row in rows).encode()

    return records


def _of(path: str, again: Callable[[Path], Any]) -> Callable[[Path], Callable[[], Any]]:
    return lambda folder: lambda: again(folder / path)


def _json_line(step: int, row: list[float]) -> str:
    halves = dict(zip(NAMES[:4], row, strict=False)), dict(zip(NAMES[4:], row[4:], strict=False))
    record = {"step": step, "timestamp": 1.7e9 + step, "losses": halves[0], "stats": halves[1]}
    return json.dumps({**record, "anomalies": []}) + "\n"


def _json_again(path: Path) -> Any:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _text_line(step: int, row: list[float]) -> str:
    pairs = " ".join(f"{name}={value:.6f}" for name, value in zip(NAMES, row, strict=True))
    clock = f"{step // 3600 % 24:02}:{step // 60 % 60:02}:{step % 60:02}"
    return f"2026-01-02 {clock} step {step} {pairs}\n"


def _text_again(path: Path) -> Any:
    with open(path, encoding="utf-8") as file:
        return [[(name, float(v)) for name, v in _PAIRS.findall(line)] for line in file]


def _csv_line(step: int, row: list[float]) -> str:
    return f"{step}," + ",".join(f"{value:.9g}" for value in row) + "\n"


def _csv_again(path: Path) -> Any:
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [[float(cell) for cell in row] for row in rows]


def _accumulator(folder: Path) -> Callable[[], Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    held = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    held.Reload()
    return lambda: held.Reload()


def _wandb(values: NDArray[np.float64]) -> Log:
    grown = wandb_log.Growing()

    def records(first: int, last: int) -> bytes:
        return b"".join(grown.row(step, values[step].tolist()) for step in range(first, last))

    note = "its package no longer reads its own log"
    return Log("Weights & Biases", "run-abc.wandb", b"", records, None, "", note)
