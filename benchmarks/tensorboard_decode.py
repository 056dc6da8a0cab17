"""Speed of the TensorBoard reader, as ratios to its peers in one run.

``python -m benchmarks.tensorboard_decode`` writes event files with the reference writer, reads
each with trainlens, which verifies the checksums, and with its peers, and prints how many times
as fast trainlens is; also how near it comes to reading and checksumming the bytes in C. Options:
``--quick`` for small files, ``--fallback`` to time the numpy decoder too.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import process
from benchmarks import tensorboard_ways as ways
from benchmarks.table import Row, text
from benchmarks.tensorboard_ways import Log, Way
from trainlens.readers._tfevents import COMPILED

FLOOR, FLOOR_OF_TABLES = "read and checksummed in C", "the same, without CRC instruction"
NEAR = ">= 0.33x"
"""Within three times of the floor."""

PEERS: Mapping[str, tuple[Way, tuple[str, ...], str]] = {
    "EventAccumulator": (ways.read_accumulator, ("tensorboard",), ">= 150x"),
    "tbparse": (ways.read_tbparse, ("tbparse", "tensorboard"), ">= 150x"),
    "tensorboard-data-server": (
        ways.read_data_server,
        ("tensorboard_data_server", "tensorboard"),
        ">= 30x",
    ),
}
"""How to read, what must be installed, and the goal for a million points."""

_LOAD = "import sys, trainlens; assert trainlens.load(sys.argv[1])[0].points == int(sys.argv[2])"
_ACCUMULATE = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
assert sum(len(events.Scalars(t)) for t in events.Tags()["scalars"]) == int(sys.argv[2])
"""


def results(quick: bool = False) -> list[Row]:
    """Measure: a million scalars against all peers, other shapes against the usual one.

    Parameters
    ----------
    quick : bool
        Small files, to see that all works.
    """
    if ways.missing(["tensorboard"]):
        note = "tensorboard is not installed: it writes the files"
        return [Row("TensorBoard", "EventAccumulator", math.nan, math.nan, note=note)]
    scale = 50 if quick else 1
    large = Log(1_000_000 // scale)
    others = [
        Log(200_000 // scale),
        Log(1_000_000 // scale, tags=1),
        Log(10_000, tags=1_000),
        Log(64_000, files=64),
    ]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        small = Log(100).write(Path(place) / "small")
        for read, needed, _ in PEERS.values():
            if not ways.missing(needed):
                read(small)  # imports are no part of a warm reading
        folder = large.write(Path(place) / "large")
        rows += _against(large, folder, PEERS)
        rows.append(_command(large, folder))
        for number, log in enumerate(others):
            folder = log.write(Path(place) / str(number))
            rows += _against(log, folder, {"EventAccumulator": PEERS["EventAccumulator"]})
    return rows


def _against(
    log: Log, folder: Path, peers: Mapping[str, tuple[Way, tuple[str, ...], str]]
) -> Iterator[Row]:
    title = f"{log.title}, to arrays, warm"
    floors = {FLOOR: ways.floor, FLOOR_OF_TABLES: ways.floor_of_tables} if COMPILED else {}
    took = _interleaved({"": ways.read_trainlens, **floors}, folder, 15)
    ours = took[""]
    if ways.read_trainlens(folder) != log.points:
        raise SystemExit(f"trainlens does not read the {log.points} points")
    for name, (read, needed, goal) in peers.items():
        absent = ways.missing(needed)
        if absent:
            yield Row(title, name, math.nan, ours, goal, "not installed")
            continue
        begin = time.perf_counter()
        points = read(folder)
        seconds = time.perf_counter() - begin
        note = "" if points == log.points else f"the peer gives {points:,} points"
        yield Row(title, name, seconds, ours, goal if log.points >= 200_000 else "", note)
    for name in floors:
        goal = NEAR if name == FLOOR and log.points >= 200_000 else ""
        yield Row(title, name, took[name], ours, goal)


def _interleaved(readers: Mapping[str, Way], folder: Path, times: int) -> dict[str, float]:
    """Least seconds of each, taking turns."""
    best = dict.fromkeys(readers, math.inf)
    for _ in range(times):
        for name, read in readers.items():
            gc.collect()
            begin = time.perf_counter()
            read(folder)
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def _command(log: Log, folder: Path) -> Row:
    """One command each, from nothing: interpreter, imports, reading."""
    arguments = [str(folder), str(log.points)]
    ours = process.fastest([sys.executable, "-c", _LOAD, *arguments], 3)
    peer = process.fastest([sys.executable, "-c", _ACCUMULATE, *arguments], 1)
    work = f"{log.title}, one cold command"
    return Row(work, "EventAccumulator", peer.seconds, ours.seconds, ">= 20x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fallback", action="store_true")
    options = parser.parse_args()
    print(text(results(options.quick)))
    if options.fallback:
        log = Log(200_000)
        with tempfile.TemporaryDirectory() as place:
            folder = log.write(Path(place) / "log")
            took = _interleaved({"": ways.read_numpy}, folder, 1)
        print(f"{log.title}, decoder without C: {took['']:.2f} s")


if __name__ == "__main__":
    main()
