"""From the names of sinks to what opens them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from trainlens.errors import MissingExtra, UsageError
from trainlens_torch.record.native import NativeSink
from trainlens_torch.record.sinks import Sink, Target

__all__ = ["Maker", "SinkLike", "copies", "makers"]

Maker = Callable[[Target], Sink]
"""Opens a sink of a target."""
SinkLike = str | Maker

_MODULES = {
    "tensorboard": "tensorboard",
    "aim": "aim",
    "text": "text",
    "csv": "csv_file",
    "progress": "progress",
}
_LIBRARIES = {"tensorboard": ("tensorboard", "tensorboard"), "aim": ("aim", "aim")}
"""Library that has to be there, and the extra that brings it."""
_WRITTEN = {
    "tensorboard": "tb{rank}",
    "aim": ".aim",
    "text": "log{rank}.txt",
    "csv": "metrics{rank}.csv",
}
"""What a sink writes in the folder of a run."""


def copies(sinks: tuple[SinkLike, ...], rank: int) -> tuple[str, ...]:
    """Files and folders that hold what the native log of a process holds.

    Examples
    --------
    >>> copies(("jsonl", "text", "aim:elsewhere"), 0), copies(("jsonl", "csv"), 1)
    (('log.txt',), ('metrics.rank1.csv',))
    """
    own = f".rank{rank}" if rank else ""
    names = (_WRITTEN.get(sink, "") if isinstance(sink, str) else "" for sink in sinks)
    return tuple(name.format(rank=own) for name in names if name)


def makers(sinks: tuple[SinkLike, ...], file: Path) -> list[tuple[str, Maker]]:
    """The name of each sink and what opens it.

    Parameters
    ----------
    sinks : tuple
        ``"jsonl"``, ``"tensorboard"``, ``"aim"``, ``"aim:REPOSITORY"``, ``"text"``, ``"csv"``,
        ``"progress"``, or a function that takes a `Target`.
    file : Path
        Of the native log of this process.

    Raises
    ------
    UsageError
        An unknown name, or no sink at all.
    MissingExtra
        The library of a sink is not installed.
    """
    if not sinks:
        raise UsageError(f"a logger needs a sink: {', '.join(_known())}")
    return [_maker(sink, file) for sink in sinks]


def _maker(sink: SinkLike, file: Path) -> tuple[str, Maker]:
    if callable(sink):
        return getattr(sink, "__name__", type(sink).__name__), partial(_in_folder, sink)
    kind, _, where = str(sink).partition(":")
    if kind == "jsonl" and not where:
        return file.name, partial(NativeSink, file=file)
    if kind not in _MODULES or (where and kind != "aim"):
        raise UsageError(f"unknown sink {sink!r}; known are {', '.join(_known())}")
    _check_library(kind)
    return kind, partial(_in_folder, partial(_open, kind, where))


def _in_folder(make: Maker, target: Target) -> Sink:
    target.folder.mkdir(parents=True, exist_ok=True)
    return make(target)


def _open(kind: str, where: str, target: Target) -> Sink:
    """Loaded in the thread that writes: the libraries behind some sinks take seconds."""
    make = importlib.import_module(f"trainlens_torch.record.{_MODULES[kind]}").make
    more = {"repo": Path(where).expanduser().absolute()} if where else {}
    return cast(Sink, make(target, **more))


def _check_library(kind: str) -> None:
    library, extra = _LIBRARIES.get(kind, ("", ""))
    if library and importlib.util.find_spec(library) is None:
        raise MissingExtra(f"recording to {kind}", extra)


def _known() -> list[str]:
    return sorted(["jsonl", *_MODULES])
