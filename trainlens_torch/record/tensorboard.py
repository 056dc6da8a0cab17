"""TensorBoard event files, written so that the death of the process loses none of them."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import math
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainlens.errors import MissingExtra
from trainlens_torch.record.append import AppendFile, FileSink
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import legible, points
from trainlens_torch.record.sinks import Sink, Target

__all__ = ["TensorBoardSink", "make"]

_PREFIX = "events.out.tfevents."


def make(target: Target) -> Sink:
    """Event files in the folder ``tb`` of a run, ``tb.rank1`` and so on for other processes.

    Raises
    ------
    MissingExtra
        The package ``tensorboard`` is not installed.
    """
    return TensorBoardSink(target)


class TensorBoardSink(FileSink):
    """Writes scalars as TensorBoard's own writers do, without their queue.

    TensorBoard's messages and its record writer make the bytes; each call of `write` is one write
    to the file, so that nothing waits in the process. A resumed run gets an event file of its own,
    named behind those that are there: TensorBoard reads a folder in that order.

    Tags are the names as they were logged, ``SPLIT/NAME`` for splits other than ``train``; an
    epoch is the scalar ``epoch``. The configuration is written for the HPARAMS tab (flat, by
    dotted names), the planned schedules as text. TensorBoard keeps scalars as float32: values come
    back rounded to 24 bits, those beyond 3.4e38 as infinities. Times are those of the entries.

    Parameters
    ----------
    target : Target

    Raises
    ------
    MissingExtra
        The package ``tensorboard`` is not installed.
    """

    def __init__(self, target: Target) -> None:
        self._lib = _Library()
        self._target = target
        rank = f".rank{target.rank}" if target.rank else ""
        self.folder = target.folder / f"tb{rank}"
        # Records have no line ends, and every file is a new one: nothing is ever torn there.
        super().__init__(AppendFile(self._next_path, self._head))
        self._epoch: tuple[int, float] | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, an event each.

        Raises
        ------
        NotWritten
            Says how many of them need not be given again.
        """
        before = self._epoch
        pieces = [self._lib.records(self._events(entry)) for entry in entries]
        try:
            self._file.write(pieces)
        except OSError:
            self._epoch = before  # what is given again tells its epochs again
            raise

    def _events(self, entry: Entry) -> Iterator[Any]:
        front = "" if entry.split == "train" else f"{legible(entry.split)}/"
        values = [self._lib.scalar(front + name, value) for name, value in points(entry)]
        if entry.epoch is not None and self._epoch != (entry.step, entry.epoch):
            self._epoch = (entry.step, entry.epoch)
            values.append(self._lib.scalar("epoch", entry.epoch))
        if values:
            yield self._lib.event(entry.time, entry.step, values)

    def _next_path(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        there = (name for name in os.listdir(self.folder) if name.startswith(_PREFIX))
        newest = max((_stamp(name) for name in there), default=0)
        stamp = max(int(self._target.clock()), newest + 1)
        for number in itertools.count():
            name = f"{_PREFIX}{stamp:010d}.{socket.gethostname()}.{os.getpid()}.{number}"
            if not (self.folder / name).exists():
                break
        return self.folder / name

    def _head(self) -> bytes:
        target, lib = self._target, self._lib
        now = target.clock()
        events = [lib.version(now)]
        if target.config:
            events.append(lib.hparams(now, flat(target.config)))
        if target.schedules:
            text = json.dumps(dict(target.schedules), default=str)
            events.append(lib.text(now, "schedules", text))
        return lib.records(events)


def flat(config: Mapping[str, Any], front: str = "") -> dict[str, bool | float | int | str]:
    """A configuration as TensorBoard's hyperparameters: dotted names, plain values.

    Examples
    --------
    >>> flat({"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": None})
    {'optim.lr': 0.1, 'optim.betas': '[0.9, 0.99]', 'seed': 'None'}
    """
    found: dict[str, bool | float | int | str] = {}
    for key, value in config.items():
        name = front + legible(str(key))
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        elif isinstance(value, bool | int | float):
            found[name] = value
        elif isinstance(value, str) or value is None:
            found[name] = legible(str(value))
        else:
            found[name] = legible(json.dumps(value, default=str))
    return found


def _stamp(name: str) -> int:
    digits = name.removeprefix(_PREFIX).partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


class _Library:
    """What is taken from the package: its messages and its framing."""

    def __init__(self) -> None:
        load = importlib.import_module
        try:
            proto = "tensorboard.compat.proto"
            self._event: Any = load(f"{proto}.event_pb2").Event
            self._summary: Any = load(f"{proto}.summary_pb2").Summary
            self._hparams: Any = load("tensorboard.plugins.hparams.summary_v2").hparams_pb
            self._text: Any = load("tensorboard.plugins.text.summary_v2").text_pb
            self._framed: Any = load("tensorboard.summary.writer.record_writer").RecordWriter
        except ImportError as error:
            raise MissingExtra("writing TensorBoard event files", "tensorboard") from error

    def records(self, events: Any) -> bytes:
        """Events as one run of framed and checksummed records."""
        out = io.BytesIO()
        writer = self._framed(out)
        for event in events:
            writer.write(event.SerializeToString())
        return out.getvalue()

    def scalar(self, tag: str, value: float) -> Any:
        return self._summary.Value(tag=tag, simple_value=_single(value))

    def event(self, time: float, step: int, values: Sequence[Any]) -> Any:
        return self._event(wall_time=time, step=step, summary=self._summary(value=values))

    def version(self, time: float) -> Any:
        return self._event(wall_time=time, file_version="brain.Event:2")

    def hparams(self, time: float, found: Mapping[str, Any]) -> Any:
        return self._event(wall_time=time, summary=self._hparams(found, start_time_secs=time))

    def text(self, time: float, tag: str, text: str) -> Any:
        return self._event(wall_time=time, summary=self._text(tag, text))


def _single(value: float) -> float:
    """The value, infinite beyond the range of float32, which older protobuf refuses."""
    return value if abs(value) <= 3.4028235e38 or value != value else math.copysign(math.inf, value)
