"""Linear time and bounded memory: 10 to 10,000 runs of 1,000 steps, and 1 k to 10 M points."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.logs import write_events, write_jsonl
from benchmarks.process import TRAINLENS, run
from benchmarks.table import Row

STEPS, METRICS = 1000, 3
RUNS = (10, 100, 1_000, 10_000)
POINTS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
COMMANDS = ("diagnose", "ls", "report")
FORMATS: dict[str, Callable[..., Path]] = {"JSON Lines": write_jsonl, "TensorBoard": write_events}
_FILES = {"JSON Lines": "run.jsonl", "TensorBoard": "events.out.tfevents.1700000000.host"}
_LIMIT = 300.0


def of_runs(command: str, runs: int) -> str:
    """What a row says of a command on many runs."""
    return f"{command}, {runs:,} runs x {STEPS:,} steps x {METRICS} metrics"


def of_points(form: str, points: int) -> str:
    """What a row says of `diagnose` on one long run."""
    return f"diagnose, one {form} run of {points:,} points"


def results(quick: bool = False) -> list[Row]:
    """Two rows, time and memory, a command and size."""
    runs, points = (RUNS[:2], POINTS[:4]) if quick else (RUNS, POINTS)
    return [*_many(runs), *_long(points)]


def _many(counts: Sequence[int]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as place:
        written = 0
        for runs in counts:
            for seed in range(written, runs):
                write_jsonl(_folder(place, seed) / "run.jsonl", STEPS, METRICS, seed=seed)
            written = runs
            for command in COMMANDS:
                goal = "<= 60 s" if runs == RUNS[-1] else ""
                yield from measured(of_runs(command, runs), command, Path(place) / "runs", goal)


def _folder(place: str, seed: int) -> Path:
    folder = Path(place) / "runs" / f"{seed // 100:03}" / f"run{seed:05}"
    folder.mkdir(parents=True)
    return folder


def _long(sizes: Sequence[int]) -> Iterator[Row]:
    for form, write in FORMATS.items():
        for points in sizes:
            with tempfile.TemporaryDirectory() as place:
                write(Path(place) / _FILES[form], points // METRICS, METRICS)
                yield from measured(of_points(form, points), "diagnose", Path(place))


def measured(
    work: str, command: str, logs: Path, goal: str = "", memory_goal: str = ""
) -> Iterator[Row]:
    """Time, and peak memory of all processes together, of a command on a folder of logs."""
    seconds = size = math.nan
    try:
        with tempfile.TemporaryDirectory() as out:
            options = ["-o", out] if command == "report" else []
            took = run([*TRAINLENS, command, str(logs), *options], limit=_LIMIT)
        note = f"> {_LIMIT:.0f} s: ended" if took.late else f"{took.cpu:.1f} s of CPU"
        if not took.late:
            seconds, size = took.seconds, took.peak / 1e6
    except RuntimeError as error:  # the sizes that work are told as well
        note = f"fails: {error}"
    yield Row(work, "", math.nan, seconds, goal, note)
    yield Row(f"{work}, memory", "", math.nan, size, memory_goal, unit="MB")


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``scaling.png`` from these rows."""
    from benchmarks.pictures import Curve, Panel, write_panels

    found = {row.work: row.our_seconds for row in rows}

    def curve(label: str, works: dict[int, str]) -> Curve:
        known = [(size, found[work]) for size, work in works.items() if work in found]
        return Curve(label, [size for size, _ in known], [value for _, value in known])

    panels: list[Panel] = []
    for end, unit in (("", "time, s"), (", memory", "peak memory, MB")):
        by_runs = [curve(c, {n: of_runs(c, n) + end for n in RUNS}) for c in COMMANDS]
        by_points = [curve(f, {n: of_points(f, n) + end for n in POINTS}) for f in FORMATS]
        panels.append((f"runs of {STEPS * METRICS:,} points", unit, by_runs))
        panels.append(("points in one run, diagnose", unit, by_points))
    return [write_panels(folder / "scaling.png", panels)]
