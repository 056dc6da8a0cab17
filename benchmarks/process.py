"""A whole command, cold: its wall time, CPU time, peak memory and output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TRAINLENS = (sys.executable, "-m", "trainlens")
LIMIT = 180.0
"""Seconds after which a command is ended."""

_LAUNCH = Path(__file__).with_name("launch.py")
_JUDGED = (0, 1, 2)  # healthy, findings, no verdict: what diagnosers answer when all went well


@dataclass(frozen=True)
class Finished:
    """What a command took; `late` if it was ended at the limit.

    `peak` is the resident memory of all its processes together, in bytes: looked at every 50 ms,
    and at least that of the largest of them.
    """

    seconds: float
    cpu: float
    peak: int
    code: int
    output: str
    late: bool


def run(
    command: Sequence[str], *, limit: float = LIMIT, settings: Mapping[str, str] | None = None
) -> Finished:
    """Run a command in a process of its own.

    Parameters
    ----------
    command
    limit
        Seconds after which it is ended.
    settings
        Environment variables beside those of this process. The cache of decoded columns is off
        unless they say otherwise, so that every reading is a first one.

    Raises
    ------
    RuntimeError
        If it failed: a traceback, silence with an exit code that is not 0, or a code that no
        diagnoser gives. The last line of its errors is the message.
    """
    environment = {**os.environ, "TRAINLENS_CACHE": "off", **(settings or {})}
    # Installed packages are compiled already: so is a checkout, after its first command.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        start = [sys.executable, "-I", "-S", str(_LAUNCH), str(limit), str(output), str(errors)]
        took = json.loads(
            subprocess.run(
                [*start, *command], check=True, capture_output=True, env=environment
            ).stdout
        )
        done = Finished(
            **took, output=output.read_text(errors="replace"), late=took["seconds"] >= limit
        )
        said = errors.read_text(errors="replace")
    if not done.late and _failed(done, said):
        raise RuntimeError(f"{' '.join(command)}: {last_line(said)}")
    return done


def _failed(done: Finished, errors: str) -> bool:
    # Findings and an uncaught exception both end with 1: only the first has something to say.
    silent = done.code != 0 and not done.output
    return silent or done.code not in _JUDGED or "Traceback (most recent call last)" in errors


def fastest(command: Sequence[str], repeats: int, *, limit: float = LIMIT) -> Finished:
    """The fastest of some runs; one that takes half a minute or more is not repeated."""
    best = run(command, limit=limit)
    for _ in range(repeats - 1 if best.seconds < 30 else 0):
        best = min(best, run(command, limit=limit), key=lambda took: took.seconds)
    return best


def last_line(text: str) -> str:
    """What a failed program said last."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def program(name: str) -> str | None:
    """A command of a package beside this interpreter or on the PATH; None if not installed."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
