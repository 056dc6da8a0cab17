"""Runs that are written while somebody watches them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from benchmarks import events
from benchmarks.logs import NAMES, curves

HISTORY = 2000
"""Records that a run has when the watch begins."""
_ROWS = 4096  # records after which the values come again


class Growing:
    """Runs that grow at the same pace, eight metrics each.

    Parameters
    ----------
    folder : Path
        Of all runs; it is there already.
    runs : int
    form : str
        ``jsonl`` or ``tensorboard``.

    Attributes
    ----------
    step : int
        Of the next record.
    """

    def __init__(self, folder: Path, runs: int, form: str) -> None:
        self._form = form
        self._files = []
        self._values = [curves(_ROWS, len(NAMES), seed) for seed in range(runs)]
        line = ", ".join(f'"{name}": %.9g' for name in NAMES)
        self._line = '{"step": %d, "timestamp": %.3f, ' + line + "}\n"
        self.step = 0
        for number in range(runs):
            place = folder / f"run{number:03}"
            place.mkdir()
            name = "run.jsonl" if form == "jsonl" else "events.out.tfevents.1.host"
            file = open(place / name, "ab", buffering=0)  # noqa: SIM115 - until `close`
            if form != "jsonl":
                file.write(events.version_record())
            self._files.append(file)

    def grow(self, records: int = 1) -> None:
        """Every run gets so many records more, in one write a run."""
        for run in range(len(self._files)):
            self._write(run, self._rows(run, records))
        self.step += records

    def break_down(self, run: int) -> None:
        """A record of one run whose loss is NaN; the others get none."""
        values = self._rows(run, 1)
        values[0, 0] = math.nan
        self._write(run, values)

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()

    def _rows(self, run: int, records: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        places = np.arange(self.step, self.step + records)
        # A curve that falls all the time has no end: its last part comes again and again.
        places = np.where(places < _ROWS, places, _ROWS // 2 + places % (_ROWS // 2))
        found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = self._values[run][places].copy()
        return found

    def _write(self, run: int, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
        if self._form == "jsonl":
            rows = enumerate(values.tolist(), self.step)
            text = "".join(self._line % (s, 1.7e9 + s, *row) for s, row in rows)
            self._files[run].write(text.replace("nan", "NaN").encode())
        else:
            singles = values.astype("<f4")
            self._files[run].write(events.records(self.step, singles, NAMES))
