"""Speed of the TensorBoard reader, as ratios to its peers in one run.

``python -m benchmarks.tensorboard_decode`` writes event files of 1,000,000 and of 200,000 scalars
(10 tags), reads each with trainlens, which verifies the checksums, and with `EventAccumulator`,
and prints how many times faster trainlens is. Options: ``--points N`` for one size,
``--fallback`` to time the numpy decoder too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainlens.readers import tensorboard
from trainlens.readers._tfevents import COMPILED, fallback, follow
from trainlens.run import Run

TAGS = 10


def write_log(folder: Path, points: int) -> Path:
    """An event file of `points` scalars in `TAGS` tags, as the reference writer makes it.

    Parameters
    ----------
    folder : Path
    points : int
    """
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    path = folder / "events.out.tfevents.1.benchmark"
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        first = event_pb2.Event(wall_time=1.0, file_version="brain.Event:2")
        writer.write(first.SerializeToString())
        for i in range(points):
            step, tag = divmod(i, TAGS)
            event = event_pb2.Event(wall_time=2.0 + step, step=step)
            value = event.summary.value.add()
            value.tag = f"train/metric_{tag}"
            value.simple_value = step * 0.1 + tag
            writer.write(event.SerializeToString())
    return path


def read_trainlens(path: Path) -> int:
    """Points that trainlens reads, up to a `Run`."""
    reader = tensorboard.open_source(tensorboard.find(path.parent)[0])
    return Run("x", str(path), tensorboard.FORMAT).extend(reader.poll(final=True)).points


def read_accumulator(path: Path) -> int:
    """Points that TensorBoard's EventAccumulator reads, all of them kept."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path), size_guidance={"scalars": 0})
    events.Reload()
    return sum(len(events.Scalars(tag)) for tag in events.Tags()["scalars"])


def read_checksummed(path: Path) -> int:
    """The floor: every byte read and checksummed in C, nothing decoded."""
    from trainlens.readers._tfevents import _native

    data, total = bytearray(follow.WINDOW), 0
    with open(path, "rb", buffering=0) as file, memoryview(data) as view:
        while n := file.readinto(view):
            _native.crc32c(data, n)
            total += n
    return total


def read_numpy(path: Path) -> int:
    """Records that the decoder without the C extension reads."""
    decoder = fallback.Decoder()
    data = bytearray(path.read_bytes())
    decoder.feed(data, len(data), True)
    decoder.take()
    return decoder.records


def forget(path: Path) -> None:
    """Drop a file from the page cache, so that the next reading comes from the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True)
class Timing:
    """Least seconds of several readings: by the clock, and of the processor."""

    wall: float
    cpu: float
    result: int


def fastest(read: Callable[[Path], int], path: Path, times: int, cold: bool = False) -> Timing:
    """Time a reading."""
    wall = cpu = float("inf")
    result = 0
    for _ in range(times):
        if cold:
            forget(path)
        start, busy = time.perf_counter(), time.process_time()
        result = read(path)
        wall = min(wall, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - busy)
    return Timing(wall, cpu, result)


def compare(points: int, with_fallback: bool) -> None:
    """Print the figures for a log of `points` scalars."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_log(Path(folder), points)
        print(f"{points:,} scalars, {path.stat().st_size / 1e6:.0f} MB, compiled: {COMPILED}")
        warm = fastest(read_trainlens, path, 15)
        cold = fastest(read_trainlens, path, 3, cold=True)
        if warm.result != points:
            raise SystemExit(f"trainlens read {warm.result} of {points} points")
        show("trainlens, warm", warm)
        show("trainlens, cold", cold)
        if COMPILED:
            floor = fastest(read_checksummed, path, 15)
            show("read and checksummed", floor)
            print(f"  trainlens takes {warm.cpu / floor.cpu:.1f} times that")
        peer = fastest(read_accumulator, path, 1)
        if peer.result != points:
            raise SystemExit(f"EventAccumulator read {peer.result} of {points} points")
        show("EventAccumulator", peer)
        print(
            f"  trainlens is {peer.wall / warm.wall:.0f} times faster warm, "
            f"{peer.wall / cold.wall:.0f} times cold, {peer.cpu / warm.cpu:.0f} times in CPU time"
        )
        if with_fallback:
            show("trainlens, numpy", fastest(read_numpy, path, 1))


def show(name: str, timing: Timing) -> None:
    """Print one line of the table."""
    print(f"  {name:<21} {timing.wall:8.4f} s, {timing.cpu:8.4f} s of CPU")


def main() -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, action="append")
    parser.add_argument("--fallback", action="store_true")
    options = parser.parse_args()
    for points in options.points or [1_000_000, 200_000]:
        compare(points, options.fallback)


if __name__ == "__main__":
    main()
