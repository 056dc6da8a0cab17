"""`diagnose` of one long JSON Lines log as a cold command, against other diagnosers of logs."""

from __future__ import annotations

import math
import tempfile
from importlib import metadata
from pathlib import Path

from benchmarks.logs import write_jsonl
from benchmarks.process import LIMIT, TRAINLENS, Finished, fastest, program
from benchmarks.table import Row

PEERS = {
    "runmedic": ("diagnose",),
    "losslint": ("check",),
    "trainproof": ("epoch",),
    "trainspotter": ("analyze", "--no-color"),
}
"""What each is called with before the log. All read this log as it is, with step, training and
validation loss, learning rate and gradient norm found under these names. Of trainproof, `epoch`
prints the same verdict as `doctor`, which also writes out its columns."""


def results(quick: bool = False) -> list[Row]:
    """A row a peer; the goal is that of the fastest of them."""
    rows, limit = (100_000, 20.0) if quick else (1_000_000, LIMIT)
    work = f"diagnose, {rows:,} JSONL rows, cold command"
    with tempfile.TemporaryDirectory() as folder:
        log = write_jsonl(Path(folder) / "run.jsonl", rows, metrics=3, validate=1000)
        ours = _ours(log)
        theirs = {name: _theirs(name, log, limit) for name in PEERS}
        ours = min(ours, _ours(log), key=lambda took: took.seconds)
    quickest = min(theirs, key=lambda name: theirs[name][0])
    found = [
        Row(work, _titled(name), _figure(taken), ours.seconds, ">= 4x" * (name == quickest), note)
        for name, (taken, note) in theirs.items()
    ]
    note = f"{ours.cpu:.1f} s of CPU, {ours.peak / 1e6:.0f} MB at most"
    return [Row(work, "", math.nan, ours.seconds, "<= 3 s", note), *found]


def _ours(log: Path) -> Finished:
    return fastest([*TRAINLENS, "diagnose", str(log)], 3)


def _theirs(name: str, log: Path, limit: float) -> tuple[float, str]:
    """Seconds of a peer, infinite where there are none, and what there is to say about them."""
    command = program(name)
    if command is None:
        return math.inf, "not installed"
    try:
        took = fastest([command, *PEERS[name], str(log)], 2, limit=limit)
    except RuntimeError as error:
        return math.inf, f"fails: {error}"
    return (math.inf, f"> {limit:.0f} s: ended") if took.late else (took.seconds, "")


def _titled(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def _figure(taken: float) -> float:
    return math.nan if math.isinf(taken) else taken
