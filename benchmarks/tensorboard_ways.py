"""Event files of any shape, and ways to read them: trainlens, its peers, and the floor."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trainlens.readers import tensorboard
from trainlens.readers._tfevents import fallback, follow
from trainlens.run import Run
from trainlens.words import plural

Way = Callable[[Path], int]
"""Reads the event files of a folder; the number of points, or of bytes for a floor."""
PATIENCE = 120.0
"""Seconds that the data server may take to load."""


@dataclass(frozen=True)
class Log:
    """The event files of a run: scalars in the turn of their tags, spread over files."""

    points: int
    tags: int = 10
    files: int = 1

    @property
    def title(self) -> str:
        """As the table calls it."""
        where = f" and {self.files} files" if self.files > 1 else ""
        tags = plural(self.tags, "tag")
        return f"TensorBoard, {self.points:,} scalars in {tags}{where}"

    def write(self, folder: Path) -> Path:
        """Write it as the reference writer does, and return the folder."""
        folder.mkdir(parents=True)
        each = self.points // self.files
        for number in range(self.files):
            with open(folder / f"events.out.tfevents.{number + 1}.benchmark", "wb") as file:
                self._write(file, number * each, (number + 1) * each)
        return folder

    def _write(self, file: BinaryIO, begin: int, end: int) -> None:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        writer = RecordWriter(file)
        first = event_pb2.Event(wall_time=1.0 + begin, file_version="brain.Event:2")
        writer.write(first.SerializeToString())
        for i in range(begin, end):
            step, tag = divmod(i, self.tags)
            event = event_pb2.Event(wall_time=2.0 + step, step=step)
            value = event.summary.value.add()
            value.tag = f"train/metric_{tag}"
            value.simple_value = step * 0.1 + tag
            writer.write(event.SerializeToString())


def read_trainlens(folder: Path) -> int:
    """Up to a `Run`, checksums verified."""
    reader = tensorboard.open_source(tensorboard.find(folder)[0])
    return Run("x", str(folder), tensorboard.FORMAT).extend(reader.poll(final=True)).points


def read_accumulator(folder: Path) -> int:
    """TensorBoard's EventAccumulator, all points kept."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return sum(len(events.Scalars(tag)) for tag in events.Tags()["scalars"])


def read_tbparse(folder: Path) -> int:
    """Tbparse, to its table."""
    tbparse: Any = importlib.import_module("tbparse")
    return len(tbparse.SummaryReader(str(folder)).scalars)


def read_data_server(folder: Path) -> int:
    """The data server in Rust, until its gRPC client holds the points.

    It answers while it is still loading, so it is asked for the last steps until they stand
    still, and only then for the points.
    """
    from tensorboard import context
    from tensorboard.data import server_ingester
    from tensorboard.util import grpc_util

    ingester = server_ingester.SubprocessServerDataIngester(
        server_binary=server_ingester.get_server_binary(),
        logdir=str(folder),
        reload_interval=0,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"scalars": 10**9},
    )
    ingester.start()
    data, asked = ingester.data_provider, context.RequestContext()
    end = time.monotonic() + PATIENCE
    seen, last = 0, -1
    while (seen == 0 or seen != last) and time.monotonic() < end:
        time.sleep(0.05)
        listed = data.list_scalars(asked, experiment_id="", plugin_name="scalars")
        seen, last = sum(t.max_step + 1 for tags in listed.values() for t in tags.values()), seen
    found = data.read_scalars(asked, experiment_id="", plugin_name="scalars", downsample=10**9)
    return sum(len(points) for tags in found.values() for points in tags.values())


def read_numpy(folder: Path) -> int:
    """The decoder of trainlens without its C extension; records."""
    records = 0
    for path in folder.iterdir():
        decoder = fallback.Decoder()
        data = bytearray(path.read_bytes())
        decoder.feed(data, len(data), True)
        decoder.take()
        records += decoder.records
    return records


def floor(folder: Path, table: bool = False) -> int:
    """Every byte read and checksummed in C, nothing decoded; bytes.

    Parameters
    ----------
    folder : Path
    table : bool
        Checksums from tables, as without the processor's instruction.
    """
    from trainlens.readers._tfevents import _native

    data, total = bytearray(follow.WINDOW), 0
    for path in folder.iterdir():
        with open(path, "rb", buffering=0) as file, memoryview(data) as view:
            while n := file.readinto(view):
                _native.crc32c(data, n, table)
                total += n
    return total


def floor_of_tables(folder: Path) -> int:
    """As `floor`, with tables."""
    return floor(folder, table=True)


def missing(packages: Iterable[str]) -> list[str]:
    """The packages, of some, that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]
