"""Readers to compare: each takes paths and gives the points of each.

Runs in processes of their own (see `worker`), so that one that dies or hangs ends only itself.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Points = list[tuple[str, int, float]]


@dataclass(frozen=True)
class Peer:
    """A reader.

    Parameters
    ----------
    name : str
    package : str
        Its distribution; empty for what is always there.
    read : callable
        From a path to points.
    batch : callable, optional
        From several paths to their points, for servers that take long to start.
    """

    name: str
    package: str
    read: Callable[[Path], Points]
    batch: Callable[[Sequence[Path]], list[Points]] | None = None

    def missing(self) -> str:
        """Why it cannot take part; empty where it can."""
        try:
            self.title()
        except PackageNotFoundError:
            return f"{self.package} is not installed"
        return ""

    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {version(self.package)}" if self.package else self.name


def trainlens(name: str) -> Callable[[Path], Points]:
    """The reader of a format of trainlens."""

    def read(path: Path) -> Points:
        module = importlib.import_module(f"trainlens.readers.{name}")
        found: Points = []
        for source in module.find(path):
            for c in module.open_source(source).poll(final=True).columns:
                found += zip([c.name] * len(c.step), c.step.tolist(), c.value.tolist(), strict=True)
        return found

    return read


def accumulator(path: Path) -> Points:
    """TensorBoard's EventAccumulator, told to keep every point."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    found = [(t, e.step, e.value) for t in tags["scalars"] for e in events.Scalars(t)]
    for tag in tags["tensors"]:
        for event in events.Tensors(tag):
            value = make_ndarray(event.tensor_proto)
            if value.dtype.kind == "f" and value.size == 1:
                found.append((tag, event.step, float(value)))
    return found


def tbparse(path: Path) -> Points:
    """The scalars that tbparse finds."""
    from tbparse import SummaryReader

    reader = SummaryReader(str(path))
    found: Points = []
    for frame in (reader.scalars, reader.tensors):
        for tag, step, value in (
            frame[["tag", "step", "value"]].itertuples(index=False) if len(frame) else ()
        ):
            number = getattr(value, "item", lambda v=value: v)()
            if isinstance(number, float):
                found.append((tag, step, number))
    return found


def data_server(paths: Sequence[Path]) -> list[Points]:
    """The data server in Rust, over the same gRPC interface that TensorBoard uses."""
    from tensorboard import context
    from tensorboard.data import server_ingester
    from tensorboard.util import grpc_util

    root = paths[0].parent
    ingester = server_ingester.SubprocessServerDataIngester(
        server_binary=server_ingester.get_server_binary(),
        logdir=str(root),
        reload_interval=0,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"scalars": 10**9},
    )
    ingester.start()
    data, now = ingester.data_provider, context.RequestContext()
    read = data.read_scalars(
        now, experiment_id="", plugin_name="scalars", downsample=10**9, run_tag_filter=None
    )
    return [
        [
            (tag, point.step, point.value)
            for tag, points in read.get(str(path.relative_to(root)), {}).items()
            for point in points
        ]
        for path in paths
    ]


def one_by_one(path: Path) -> Points:
    """The data server, for one run alone: a folder of its own, as a link."""
    return data_server([path])[0]


def aim_sdk(path: Path) -> Points:
    """AIM's own SDK, reading."""
    aim: Any = importlib.import_module("aim")
    repo = aim.Repo(str(path.parent))
    found: Points = []
    for key in sorted(p.name for p in (path / "seqs" / "chunks").iterdir()):
        try:
            run = aim.Run(key, repo=repo, read_only=True)
            held = [(m.name, m.dataframe()) for m in run.metrics()]
        except Exception:  # the peer may raise anything; its other runs still count
            continue
        for name, frame in held:
            steps, values = frame["step"].tolist(), frame["value"].tolist()
            found += zip([name] * len(steps), steps, values, strict=True)
    return found


def json_lines(path: Path) -> Points:
    """`json.loads` for each line, lines that fail passed over: what careful people write."""
    found: Points = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                found += _of_record(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
    return found


def pandas_json(path: Path) -> Points:
    """`pandas.read_json` with ``lines=True``."""
    import pandas as pd

    rows: list[Any] = pd.read_json(path, lines=True).to_dict("records")
    return [p for row in rows for p in _of_record(row)]


def pandas_csv(path: Path) -> Points:
    """`pandas.read_csv`."""
    import pandas as pd

    rows: list[Any] = pd.read_csv(path).to_dict("records")
    return [
        (name, int(row["step"]), value)
        for row in rows
        for name, value in row.items()
        if name.endswith("loss") and isinstance(value, float) and not math.isnan(value)
    ]


def _of_record(row: dict[str, Any]) -> Iterator[tuple[str, int, float]]:
    for part in ("losses", "stats"):
        held = row.get(part)
        for name, value in held.items() if isinstance(held, dict) else ():
            yield name, int(row["step"]), float(value)


PEERS: dict[str, tuple[Peer, ...]] = {
    "tensorboard": (
        Peer("trainlens", "", trainlens("tensorboard")),
        Peer("EventAccumulator, tensorboard", "tensorboard", accumulator),
        Peer("tbparse", "tbparse", tbparse),
        Peer("tensorboard-data-server", "tensorboard-data-server", one_by_one, data_server),
    ),
    "aim": (Peer("trainlens", "", trainlens("aim")), Peer("aim", "aim", aim_sdk)),
    "jsonl": (
        Peer("trainlens", "", trainlens("jsonl")),
        Peer("json, lines that fail passed over", "", json_lines),
        Peer("pandas.read_json, pandas", "pandas", pandas_json),
    ),
    "csv": (
        Peer("trainlens", "", trainlens("csv")),
        Peer("pandas.read_csv, pandas", "pandas", pandas_csv),
    ),
}
"""By module of `tests.robustness.formats`."""
