"""A CSV table with a row a value, which pandas and trainlens read at any moment."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from trainlens_torch.record.append import AppendFile, FileSink
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.points import legible, points
from trainlens_torch.record.sinks import Sink, Target

__all__ = ["COLUMNS", "CsvSink", "make"]

COLUMNS = ("step", "epoch", "wall_time", "metric", "value", "split")
"""The value is not the last: a row that ends inside it has no split, and so gives itself away."""

_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def make(target: Target) -> Sink:
    """``metrics.csv`` in the folder of a run, ``metrics.rank1.csv`` for other processes."""
    return CsvSink(target)


class CsvSink(FileSink):
    r"""Appends a row a value: its header stays the same, whatever names come later.

    The rows of one `write` are one write to the file. A row that a crash left without its end is
    cut off when the file is opened again: half a number would read as a whole one. Numbers are
    written so that they read back to the bit (before pandas 3.1 with ``float_precision=
    "round_trip"``), NaN and infinities as ``nan`` and ``inf``. Line breaks and other control
    characters of a name are written as escapes such as ``\x0a``, a name of no character as ``_``.
    The configuration lies beside the table, in ``hparams.yaml``.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        rank = f".rank{target.rank}" if target.rank else ""
        self.path = target.folder / f"metrics{rank}.csv"
        super().__init__(AppendFile(lambda: self.path, self._head))

    def write(self, entries: Sequence[Entry]) -> None:
        """Append the values of entries.

        Raises
        ------
        NotWritten
            Says how many of them need not be given again.
        """
        self._file.write([_rows(_of(entry)) for entry in entries])

    def _head(self) -> bytes:
        beside = self._target.folder / "hparams.yaml"
        if self._target.config and not self._target.rank and not beside.exists():
            # What JSON writes is YAML, too.
            text = json.dumps(dict(self._target.config), default=str, indent=2)
            beside.write_text(text + "\n", encoding="utf-8")
        return _rows([COLUMNS])


def _of(entry: Entry) -> list[tuple[Any, ...]]:
    epoch = "" if entry.epoch is None else repr(float(entry.epoch))
    split = _plain(legible(entry.split))
    front = (entry.step, epoch, repr(float(entry.time)))
    return [(*front, _plain(name), repr(value), split) for name, value in points(entry)]


def _rows(rows: Any) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _plain(name: str) -> str:
    # A row without a metric is none for its readers.
    return _BREAKS.sub(lambda found: f"\\x{ord(found.group()):02x}", name) or "_"
