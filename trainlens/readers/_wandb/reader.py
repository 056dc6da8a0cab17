"""Reads one log of W&B; see `trainlens.readers.wandb`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from trainlens.chunk import Chunk, Ended, Notice
from trainlens.readers._damage import Damage
from trainlens.readers._follow import Follow, no_numbers
from trainlens.readers._tfevents.wire import Malformed
from trainlens.readers._values import whole
from trainlens.readers._wandb import beside, record
from trainlens.readers._wandb.axes import StepAxes
from trainlens.readers._wandb.chunks import HEADER
from trainlens.readers._wandb.final import final_values
from trainlens.readers._wandb.history import History
from trainlens.readers._wandb.log import Gap, Record, Scan
from trainlens.readers._wandb.settings import Settings
from trainlens.readers._yaml import read_yaml
from trainlens.words import plural

_INTERRUPTED = 255


class WandbLog:
    """Reads one `.wandb` file, each record exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Follow(path)
        self._damage = Damage(path.name)
        self._axes = StepAxes()
        self._history = History(self._axes)
        self._settings = Settings()
        self._gaps: list[Gap] = []
        self._malformed: list[Record] = []
        self._num = 0
        self._records = 0
        self._holes = False
        self._exit: int | None = None
        self._closed = False
        history, settings = self._history, self._settings
        self._take_in: dict[int, Callable[[bytes, int, int], None]] = {
            record.HISTORY: history.add,
            record.STATS: history.add_reading,
            record.CONFIG: settings.add,
            record.RUN: self._run,
            record.METRIC: self._define,
            record.TENSORBOARD: self._tensorboard,
            record.EXIT: self._end,
        }

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the log cannot be opened.
        """
        self._file.read(final, self._read, self._begin_anew)
        if final:
            self._report_gaps(0)
            self._close()
        self._report_malformed()
        config = self._settings.take()
        notices = self._damage.take(final) + self._file.take()
        return Chunk(self._history.take(), config, notices, self._ended)

    @property
    def _ended(self) -> Ended | None:
        """That it has an exit record, which holds no time."""
        if self._exit is None:
            return None
        return Ended(math.nan, "exception" if self._exit else "closed")

    def _begin_anew(self) -> None:
        self._num, self._exit, self._gaps = 0, None, []

    def _read(self, final: bool) -> None:
        for piece in self._file.tail.objects():
            if piece.oversize:
                what = "a record too long to be one, passed over"
                self._gaps.append(Gap(piece.start, piece.end, "corrupt", what, 1))
                continue
            scan = Scan(piece.data, piece.start, final and piece.torn)
            self._file.tail.advance(scan.used)
            for item in scan.items:
                if isinstance(item, Gap):
                    self._gaps.append(item)
                else:
                    self._record(item)

    def _record(self, item: Record) -> None:
        self._records += 1
        try:
            said = record.content(item.data, item.at, item.stop)
            if self._gaps:
                self._report_gaps(said.num)
            self._num = said.num
            take_in = self._take_in.get(said.kind)
            if take_in:
                take_in(item.data, said.begin, said.end)
        except Malformed:
            self._malformed.append(item)
            self._num += self._num > 0

    def _report_gaps(self, num: int) -> None:
        """Say what was lost; `num` is the running number of the record behind, 0 if unknown."""
        gaps, self._gaps = self._gaps, []
        missing = num - self._num - 1
        known = num > 0 and (self._num > 0 or self._records == 1)
        known = known and 0 <= missing <= sum(g.end - g.begin for g in gaps) // HEADER
        for i, gap in enumerate(gaps):
            lost = (missing if i == 0 else 0) if known else gap.records
            self._damage.add(gap.kind, gap.what, gap.begin, gap.end, lost)
            self._holes |= lost != 0

    def _report_malformed(self) -> None:
        if self._malformed:
            first, last, n = self._malformed[0], self._malformed[-1], len(self._malformed)
            where = f"{self._path.name}, bytes {first.begin}-{last.end}"
            what = f"{plural(n, 'record')} with a good checksum but no message of W&B; skipped"
            self._file.add(Notice("corrupt", where, what, n))
            self._malformed = []

    def _run(self, data: bytes, at: int, end: int) -> None:
        self._settings.add_run(data, at, end)
        if self._settings.start_time is not None:
            self._history.start_time = self._settings.start_time

    def _define(self, data: bytes, at: int, end: int) -> None:
        self._axes.define(record.definition(data, at, end))

    def _tensorboard(self, data: bytes, at: int, end: int) -> None:
        # A log that W&B copies from TensorBoard counts the steps of the latter in this key.
        self._axes.define(record.Definition("", "*", "global_step"))

    def _end(self, data: bytes, at: int, end: int) -> None:
        self._exit = record.exit_code(data, at, end)
        if self._exit:
            how = "was interrupted" if self._exit == _INTERRUPTED else "failed"
            self._file.note("unfinished", f"exit code {self._exit}: the run {how}")

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._settings.config:
            self._read_config()
        if self._history.skipped:
            self._file.note(
                "skipped",
                no_numbers([f"{n} ({what})" for n, what in self._history.skipped.items()]),
            )
        for what in self._axes.assumed:
            self._file.note("assumed", what)
        if not self._history.rows or self._holes:
            self._use_summary()
        if not self._records:
            self._file.note("empty", "no intact record")
        elif not self._history.rows:
            self._file.note("empty", f"{plural(self._records, 'record')}, but no row of history")
        if self._exit is None and self._records:
            self._file.note("unfinished", "no exit code: the run was killed or is still going")

    def _read_config(self) -> None:
        path = beside.config_file(self._path)
        if path is not None:
            found, notice = read_yaml(path)
            self._settings.adopt(found)
            if notice:
                self._file.add(notice)

    def _use_summary(self) -> None:
        values, source, problem = final_values(self._path)
        if problem:
            self._file.add(Notice("corrupt", "wandb-summary.json", problem, None))
        step = whole(values.get("_step"))
        step = self._history.step if step is None else step
        wall_time = values.get("_timestamp", math.nan)
        new = {
            name: value
            for name, value in values.items()
            if not name.startswith("_") and name not in self._history.metrics
        }
        if new:
            self._history.add_summary(new, wall_time, step)
            what = f"final values of {plural(len(new), 'metric')} from {source}, at step {step}"
            self._file.note("assumed", f"{what}: the history does not have them")
