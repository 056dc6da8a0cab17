"""A text log for people: ``3000/100000 lr=1.0000e-04 dropout=0.000 total=1.230``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from trainlens_torch.record.append import AppendFile, FileSink
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import anomaly_kind, legible
from trainlens_torch.record.sinks import Sink, Target

__all__ = ["MOST", "TextSink", "line", "make"]

_RATE = re.compile(r"(?:^|[/_.-])(?:lr|learning_?rate)(?:$|[/_.-])", re.IGNORECASE)
_DROPOUT = re.compile(r"(?:^|[/_.-])dropout(?:$|[/_.-])", re.IGNORECASE)
_TOTAL = ("total", "total_loss", "loss")
_PLACE = re.compile(
    r"(?:^|[._/-])(?:global_|before_)?(?:step|epoch|iter|iteration)$", re.IGNORECASE
)
"""Settings of such names are left out of the head: a reader would take them for where it stands."""
_ODD = re.compile(r"[^\w/.@-]+")
MOST = 40
"""Numbers of a line."""
_TORN = b"_torn\n"
"""Behind half a number it makes a word of it: ``total=1.2_torn`` is no 1.2."""


def make(target: Target, every: int = 100) -> Sink:
    """``log.txt`` in the folder of a run, ``log.rank1.txt`` for other processes."""
    return TextSink(target, every)


class TextSink(FileSink):
    """Appends a line every few steps, and one for each entry that is no training or is odd.

    Parameters
    ----------
    target : Target
        Its `total` stands behind the step.
    every : int
        Steps between two lines of training. The first and the last entry have a line in any case,
        so have those with anomalies and those of other splits.

    Raises
    ------
    ValueError
        `every` is less than 1.
    """

    def __init__(self, target: Target, every: int = 100) -> None:
        if every < 1:
            raise ValueError(f"every is {every}; at least 1 step lies between two lines")
        self._target = target
        self._every = every
        self._shown: int | None = None
        self._left: Entry | None = None
        rank = f".rank{target.rank}" if target.rank else ""
        self.path: Path = target.folder / f"log{rank}.txt"
        super().__init__(AppendFile(lambda: self.path, self._head, mend=_TORN))

    def write(self, entries: Sequence[Entry]) -> None:
        """Append the lines of those entries that are due.

        Raises
        ------
        NotWritten
            Says how many of them need not be given again.
        """
        before = self._shown, self._left
        try:
            self._file.write(
                [self._line(entry) if self._is_due(entry) else b"" for entry in entries]
            )
        except OSError as error:
            self._shown, self._left = before
            for entry in entries[: getattr(error, "written", 0)]:
                self._is_due(entry)
            raise

    def close(self) -> None:
        """Write the last entry, if it has no line yet, and end the file."""
        left, self._left = self._left, None
        try:
            if left is not None:
                self._file.write([self._line(left)])
        finally:
            super().close()

    def _line(self, entry: Entry) -> bytes:
        return line(entry, self._target.total).encode()

    def _is_due(self, entry: Entry) -> bool:
        if entry.split != "train":
            return True
        shown = self._shown
        gone = (
            shown is None
            or entry.step < shown
            or entry.step // self._every > (shown // self._every)
        )
        if gone:
            self._shown = entry.step
        due = gone or bool(entry.anomalies)
        self._left = None if due else entry
        return due

    def _head(self) -> bytes:
        lines = [f"run: {_word(self._target.run)}"]
        for name, value in _flat(self._target.config):
            if not _PLACE.search(name):
                lines.append(f"{name}: {value}")
        return "".join(f"{text}\n" for text in lines).encode()


def line(entry: Entry, total: float | None = None) -> str:
    r"""The line of an entry.

    The learning rate has five digits, other numbers three behind the point, or four digits where
    those would hide them. Rates and dropout come first, then the total, then the other losses and
    statistics, at most forty. Names of other splits have them in front; ``dropout_rate`` is
    ``dropout``.

    Parameters
    ----------
    entry : Entry
    total : float, optional
        Steps of the whole training.

    Examples
    --------
    >>> losses, stats = {"loss_theta": 0.083, "total": 1.23}, {"dropout": 0.0, "lr": 1e-4}
    >>> line(Entry(3000, 0.0, losses, stats), 100000)
    '3000/100000 lr=1.0000e-04 dropout=0.000 total=1.230 loss_theta=0.083\n'
    """
    place = f"{entry.step}/{total:.0f}" if total else f"step={entry.step}"
    epoch = [] if entry.epoch is None else [f"epoch={entry.epoch:g}"]
    front = "" if entry.split == "train" else f"{_word(entry.split)}_"
    pairs = sorted((*entry.losses.items(), *entry.stats.items()), key=lambda pair: _order(pair[0]))
    held = {name for name, _ in pairs}
    words = [f"{front}{_called(name, held)}={_number(name, value)}" for name, value in pairs[:MOST]]
    more = ["..."] if len(pairs) > MOST else []
    odd = [f"!{anomaly_kind(anomaly)}" for anomaly in entry.anomalies]
    return " ".join([place, *epoch, *words, *more, *odd]) + "\n"


def _called(name: str, held: Set[str]) -> str:
    short = "dropout" if name == "dropout_rate" else name
    return _word(name if short in held else short)


def _order(name: str) -> int:
    if _RATE.search(name):
        return 0
    if _DROPOUT.search(name):
        return 1
    return 2 if name in _TOTAL else 3


def _number(name: str, value: float) -> str:
    if _RATE.search(name):
        return f"{value:.4e}"
    size = abs(value)
    return f"{value:.3f}" if size == 0 or 0.01 <= size < 1e6 or size != size else f"{value:.3e}"


def _word(name: str) -> str:
    return _ODD.sub("_", legible(name)) or "_"


def _flat(config: Mapping[str, object], front: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        name = front + _word(str(key))
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            plain = isinstance(value, str) and value.isprintable()
            yield name, legible(str(value) if plain else json.dumps(value, default=str))
