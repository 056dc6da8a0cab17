"""Whole commands, cold: start-up, and the report of a run of 1,000 steps.

Run as ``python -m benchmarks.commands [repeats]``. Each command is a process of its own; beside
it, in turn, runs the least that it could do: import click, or import numpy and matplotlib.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.diagnosis.curves import healthy

FLOORS = {
    "help": "import click",
    "report": "import numpy, matplotlib.figure, matplotlib.backends.backend_agg",
}


def write_log(path: Path, steps: int = 1000) -> None:
    """A healthy native-looking run with training and validation loss and a learning rate."""
    loss = healthy(steps, np.random.default_rng(0))
    rows = (
        {"step": i, "loss": float(x), "val_loss": float(x) * 1.05, "lr": 1e-3}
        for i, x in enumerate(loss)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def seconds(command: Sequence[str]) -> float:
    """Wall time of a process."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def pair(command: Sequence[str], floor: str, repeats: int) -> tuple[float, float]:
    """Median wall times of a command and of its floor, measured in turn."""
    bare = [sys.executable, "-c", floor]
    times = [(seconds(command), seconds(bare)) for _ in range(repeats + 1)][1:]
    ours, theirs = np.median(np.array(times), axis=0).tolist()
    return ours, theirs


def main() -> None:
    """Print a line a command."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        log, out = Path(folder) / "run.jsonl", Path(folder) / "out"
        write_log(log)
        trainlens = [sys.executable, "-m", "trainlens"]
        commands = {
            "help": [*trainlens, "--help"],
            "report": [*trainlens, "report", str(log), "-o", str(out)],
        }
        for name, command in commands.items():
            ours, theirs = pair(command, FLOORS[name], repeats)
            print(f"{name:8} {ours:.2f} s, {ours / theirs:.1f} x `{FLOORS[name]}` ({theirs:.2f} s)")
        size = (out / "index.html").stat().st_size
        print(f"page     {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
