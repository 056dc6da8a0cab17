"""2 GB of logs in 200 runs: peak memory and time of `ls`, `diagnose` and `report`.

Half of them are JSON Lines, half event files. TensorBoard's EventAccumulator, which keeps every
point as an object, reads a tenth of the event files.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.logs import write_events, write_jsonl
from benchmarks.process import run
from benchmarks.scaling import COMMANDS, measured
from benchmarks.table import Row

_RUNS = 200
_JSONL_ROWS, _EVENT_ROWS = 131_000, 72_500  # 10 MB each
_LIMIT = 300.0
_PART = 10  # EventAccumulator reads one event file in so many

_ACCUMULATE = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
held = [EventAccumulator(path, size_guidance={"scalars": 0}) for path in sys.argv[1:]]
for events in held:
    events.Reload()
"""


def results(quick: bool = False) -> list[Row]:
    """Rows of each command on all logs, and of the event files against EventAccumulator."""
    with tempfile.TemporaryDirectory() as place:
        logs = Path(place)
        size = _write(logs, 20 if quick else 1)
        work = f"{size / 1e9:.1f} GB of logs, {_RUNS} runs"
        found: list[Row] = []
        for command in COMMANDS:
            found += measured(f"{command}, {work}", command, logs, memory_goal="<= 1000 MB")
        return [*found, *_accumulator(logs / "events")]


def _write(logs: Path, divisor: int) -> int:
    """Write the logs; returns their size in bytes."""
    for number in range(_RUNS // 2):
        for form in ("jsonl", "events"):
            (logs / form / f"run{number:03}").mkdir(parents=True)
        lines = logs / "jsonl" / f"run{number:03}" / "run.jsonl"
        write_jsonl(lines, _JSONL_ROWS // divisor, seed=number)
        events = logs / "events" / f"run{number:03}" / f"events.out.tfevents.{number}.host"
        write_events(events, _EVENT_ROWS // divisor, seed=number)
    return sum(path.stat().st_size for path in logs.rglob("*") if path.is_file())


def _accumulator(events: Path) -> Iterator[Row]:
    """Time and memory of `diagnose` and of the peer on the event files alone."""
    part = sorted(events.rglob("events.*"))[::_PART]
    time, memory, note = math.nan, math.nan, "not installed"
    if importlib.util.find_spec("tensorboard") is not None:
        command = [sys.executable, "-c", _ACCUMULATE]
        nothing, some = run(command), run([*command, *map(str, part)], limit=_LIMIT)
        note = f"> {_LIMIT:.0f} s for {len(part)} of them: ended"
        if not some.late:
            time = nothing.seconds + _PART * (some.seconds - nothing.seconds)
            memory = (nothing.peak + _PART * (some.peak - nothing.peak)) / 1e6
            note = f"it reads {len(part)} of them, here times {_PART}, and judges nothing"
    work = f"diagnose, the event files of these, {_RUNS // 2} runs"
    for row, figure in zip(measured(work, "diagnose", events), (time, memory), strict=True):
        told = "; ".join(filter(None, (note, row.note)))
        yield replace(row, peer="EventAccumulator", peer_seconds=figure, note=told)
