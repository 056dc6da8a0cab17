"""Start-up: the help, a diagnosis and a report of a run of 1,000 steps, as cold commands.

Beside each, in turn, runs the least that it could do: import click, or import numpy and
matplotlib.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.logs import write_jsonl
from benchmarks.process import TRAINLENS, Finished, run
from benchmarks.table import Row

DRAWING = "import numpy, matplotlib.figure, matplotlib.backends.backend_agg"


def in_turn(command: Sequence[str], floor: str, repeats: int) -> tuple[Finished, float]:
    """Fastest run of a command, and least seconds of its floor, measured in turn."""
    bare = [sys.executable, "-c", floor]
    pairs = [(run(command), run(bare)) for _ in range(repeats + 1)][1:]
    best = min((ours for ours, _ in pairs), key=lambda took: took.seconds)
    return best, float(np.min([theirs.seconds for _, theirs in pairs]))


def results(quick: bool = False) -> list[Row]:
    """A row a command."""
    repeats = 3 if quick else 11
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder) / "run.jsonl", Path(folder) / "out"
        write_jsonl(log, 1000, validate=10)
        cases = (
            ("trainlens --help", ["--help"], "import click", "<= 0.15 s"),
            ("diagnose, 1,000 steps", ["diagnose", str(log)], "import numpy", ""),
            ("report, 1,000 steps", ["report", str(log), "-o", str(out)], DRAWING, "<= 1.2 s"),
        )
        found = []
        for work, command, floor, goal in cases:
            ours, theirs = in_turn([*TRAINLENS, *command], floor, repeats)
            note = f"{ours.seconds / theirs:.1f} times its floor, {ours.cpu:.2f} s of CPU"
            found.append(Row(f"{work}, cold", floor, theirs, ours.seconds, goal, note))
        return found
