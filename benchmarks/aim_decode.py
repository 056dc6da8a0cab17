"""Speed of the AIM reader, as a ratio to AIM's own SDK in one run.

``python -m benchmarks.aim_decode`` makes a repository of 10 metrics x 50,000 points, reads value,
step, epoch and time of all of them with the SDK in two ways and with trainlens (private view,
parameters and notices included), and prints how many times faster trainlens is.

The SDK makes the run and its first points; the rest is written into its store in the SDK's own
layout, without the deletions that it sends before each write, because that would take minutes.
That the SDK reads the result, and reads the same as trainlens, is checked. Options:
``--points N`` (a metric), ``--repeat N``.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import Row
from trainlens.readers._aim.codec import context_number, encode_path
from trainlens.readers._aim.reader import AimReader

METRICS = 10


def write_repository(root: Path, points: int) -> str:
    """A repository with one run of `METRICS` metrics; returns its hash.

    Parameters
    ----------
    root : Path
    points : int
        Of each metric.
    """
    from aim.sdk.index_manager import RepoIndexManager
    from aim.sdk.run import Run

    run = Run(
        repo=str(root),
        log_system_params=False,
        capture_terminal_logs=False,
        system_tracking_interval=None,
    )
    run["hparams"] = {"lr": 1e-3, "layers": [64, 64]}
    contexts = [{"subset": "train"}, {"subset": "val"}]
    for metric in range(METRICS):
        run.track(
            _value(metric, 0), name=f"m{metric}", step=0, epoch=0, context=contexts[metric % 2]
        )
    places = {f"m{m}": context_number(contexts[m % 2]) for m in range(METRICS)}
    run.close()
    repo, name = run.repo, str(run.hash)
    del run
    _write_points(root / ".aim" / "seqs" / "chunks" / name, name, places, points)
    RepoIndexManager.get_index_manager(repo).index(name)
    return name


def _value(metric: int, step: int) -> float:
    return metric + 1.0 / (1.0 + step)


def _write_points(folder: Path, run: str, places: dict[str, int], points: int) -> None:
    import aimrocks
    from aim.storage.hashing.hashing import hash_auto

    # The options under which the SDK itself writes: tables of 1 MB that are compacted later.
    options = aimrocks.Options(
        write_buffer_size=1 << 20,
        db_write_buffer_size=1 << 20,
        max_write_buffer_number=1,
        level0_file_num_compaction_trigger=8,
        num_levels=4,
    )
    store = aimrocks.DB(str(folder), options)
    start = time.time()
    stems = {
        (name, column): encode_path("seqs", "v2", "chunks", run, number, name, column)
        for name, number in places.items()
        for column in ("val", "epoch", "time", "step")
    }
    for step in range(1, points):
        tail = encode_path(hash_auto(step * 10))
        for name in places:
            cells = {
                "val": b"\x03" + struct.pack("<d", _value(int(name[1:]), step)),
                "epoch": b"\x02" + struct.pack("<q", step // 100),
                "time": b"\x03" + struct.pack("<d", start + step * 1e-3),
                "step": b"\x02" + struct.pack("<q", step * 10),
            }
            batch = aimrocks.WriteBatch()
            for column, cell in cells.items():
                batch.put(stems[name, column] + tail, cell)
            store.write(batch)
    store.flush()


def read_trainlens(root: Path, run: str) -> dict[str, Any]:
    """Columns by name, through the reader as `trainlens.load` uses it."""
    chunk = AimReader(root / ".aim", run).poll(final=True)
    return {c.name: (c.step, c.value, c.epoch, c.wall_time) for c in chunk.columns}


def _sdk_metrics(root: Path, run: str) -> Any:
    from aim.sdk.repo import Repo
    from aim.sdk.run import Run

    return Run(run, repo=Repo.from_path(str(root)), read_only=True).metrics()


def read_numpy(root: Path, run: str) -> dict[str, Any]:
    """Columns by name, through ``Metric.data.numpy()``."""
    found = {}
    for metric in _sdk_metrics(root, run):
        step, (value, epoch, moment) = metric.data.numpy()
        found[metric.name] = (step, value, epoch, moment)
    return found


def read_sparse(root: Path, run: str) -> dict[str, Any]:
    """Columns by name, through ``sparse_numpy()`` of each column (in the order of hashes)."""
    found = {}
    for metric in _sdk_metrics(root, run):
        views = (metric.data.steps, metric.values, metric.epochs, metric.timestamps)
        found[metric.name] = tuple(view.sparse_numpy()[1] for view in views)
    return found


def check(ours: dict[str, Any], theirs: dict[str, Any], points: int) -> None:
    """Stop unless both read the same, sorted by step.

    Raises
    ------
    SystemExit
    """
    whole = ours.keys() == theirs.keys() and len(ours) == METRICS
    for name in ours if whole else ():
        order, other = np.argsort(ours[name][0]), np.argsort(theirs[name][0])
        whole &= len(order) == len(other) == points
        for mine, its in zip(ours[name], theirs[name], strict=True):
            whole &= np.array_equal(mine[order], its[other])
    if not whole:
        raise SystemExit("trainlens and the SDK do not read the same")


def timed(read: Callable[[Path, str], dict[str, Any]], root: Path, run: str, repeat: int) -> float:
    """Least seconds of some repetitions."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        read(root, run)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


WAYS: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    "AIM SDK, data.numpy()": read_numpy,
    "AIM SDK, sparse_numpy()": read_sparse,
}
GOAL = ">= 4x"


def results(quick: bool = False) -> list[Row]:
    """Measure: a repository of `METRICS` metrics, against both ways of the SDK.

    Parameters
    ----------
    quick : bool
        A small repository, to see that all works.
    """
    points = 1_000 if quick else 50_000
    work = f"AIM, {METRICS} metrics x {points:,} points: value, step, epoch, time"
    if importlib.util.find_spec("aim") is None:
        return [Row(work, name, math.nan, math.nan, GOAL, "not installed") for name in WAYS]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        run = write_repository(root, points)
        for read in WAYS.values():
            check(read_trainlens(root, run), read(root, run), points)
        ours = timed(read_trainlens, root, run, 5)
        theirs = {name: timed(read, root, run, 2) for name, read in WAYS.items()}
    goal = "" if quick else GOAL
    return [Row(work, name, seconds, ours, goal) for name, seconds in theirs.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--points", type=int, default=50_000, help="points of each metric")
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of N counts")
    options = parser.parse_args()
    total = METRICS * options.points
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        run = write_repository(root, options.points)
        for read in WAYS.values():
            check(read_trainlens(root, run), read(root, run), options.points)
        ours = timed(read_trainlens, root, run, options.repeat)
        print(f"{METRICS} metrics x {options.points} points: value, step, epoch, time")
        print(f"{'trainlens':24}{ours:8.2f} s  {total / ours:10,.0f} points/s")
        for label, read in WAYS.items():
            theirs = timed(read, root, run, options.repeat)
            print(
                f"{label:24}{theirs:8.2f} s  {total / theirs:10,.0f} points/s"
                f"  trainlens is {theirs / ours:.1f}x as fast"
            )


if __name__ == "__main__":
    main()
