"""Everything that is measured of the watch, as rows."""

from __future__ import annotations

import importlib.util
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.monitor.attached import MONITOR, Attached
from benchmarks.monitor.growing import HISTORY, Growing
from benchmarks.table import Row

_RUNS, _SECONDS, _WARM = 100, 60.0, 20.0
_NANS, _LIMIT, _PATIENCE = 12, 30.0, 300.0
_MARKS, _BLOCK = (100_000, 300_000, 1_000_000), 5_000
_PEER = Path(__file__).with_name("reread.py")
_PEERS = {"jsonl": "each file read again", "tensorboard": "EventFileLoader again"}
_SHARE, _MEMORY = "processor time a round", "memory"


def results(quick: bool = False) -> list[Row]:
    """Rows of many runs, and of long ones."""
    found: list[Row] = []
    for form in _PEERS:
        with tempfile.TemporaryDirectory() as place:
            found += _many(Path(place), form, quick)
    for runs in (1, 4):
        with tempfile.TemporaryDirectory() as place:
            found += _long(Path(place), runs, quick)
    return found


# --- many runs --------------------------------------------------------------------------------


def _many(folder: Path, form: str, quick: bool) -> Iterator[Row]:
    """A hundred runs that get a record a second; the peer reads beside the watch."""
    runs, seconds, warm = (10, 4.0, 4.0) if quick else (_RUNS, _SECONDS, _WARM)
    logs = Growing(folder, runs, form)
    logs.grow(HISTORY)
    what = f"{runs} runs, {form}, a record a second"
    with ExitStack() as on:
        on.callback(logs.close)
        watch = on.enter_context(Attached([*MONITOR, str(folder)], f"{runs} runs"))
        peer = None
        if form == "jsonl" or importlib.util.find_spec("tensorboard") is not None:
            command = [sys.executable, str(_PEER), str(folder), form]
            peer = on.enter_context(Attached(command, "read"))
        _each_second(logs, warm, watch)
        before = watch.held
        both = [_Round(watch), *([_Round(peer, runs)] if peer else [])]
        _each_second(logs, seconds)
        ours, theirs = both[0].milliseconds, both[1].milliseconds if peer else math.nan
        note = f"{both[0].made:.0f} rounds" + ("" if peer else "; not installed")
        yield Row(f"{what}, {_SHARE}", _PEERS[form], theirs, ours, "<= 100 ms", note, "ms")
        more = f"{before:.0f} MB {seconds:.0f} s before"
        yield Row(f"{what}, {_MEMORY}", "", math.nan, watch.held, "", more, "MB")
        if form == "jsonl":
            yield _told(logs, watch, runs, 3 if quick else _NANS)


class _Round:
    """Processor time that a process takes from now on, which says so many lines a round."""

    def __init__(self, process: Attached, lines: int = 1) -> None:
        self._process, self._lines = process, lines
        self._used, self._rounds = process.used, process.rounds

    @property
    def made(self) -> float:
        """Rounds since then; one that is under way counts by its part."""
        return (self._process.rounds - self._rounds) / self._lines

    @property
    def milliseconds(self) -> float:
        """For each of them: on a machine that is busy they are further apart than a second."""
        return 1e3 * (self._process.used - self._used) / max(self.made, 1e-9)


def _each_second(logs: Growing, seconds: float, watch: Attached | None = None) -> None:
    """Grow for so long, and on until a watch has looked at every run."""
    begin, second = time.monotonic(), 0
    while second < seconds or (watch is not None and not _settled(watch)):
        logs.grow()
        second += 1
        time.sleep(max(0.0, begin + second - time.monotonic()))
        if second > _PATIENCE + seconds:
            raise RuntimeError("the watch does not look at all runs; is the machine busy?")


def _settled(watch: Attached) -> bool:
    return bool(watch.last) and "not judged yet" not in watch.last


def _told(logs: Growing, watch: Attached, runs: int, times: int) -> Row:
    """How long after a NaN was written the watch has printed it; at random times of a second."""
    rng = np.random.default_rng(0)
    took = []
    for run in range(times):
        logs.grow()
        time.sleep(float(rng.uniform(0, 1)))
        written = time.monotonic()
        logs.break_down(run)
        at = watch.told([f"run{run:03}", "NEW"], _LIMIT)
        took.append(_LIMIT if at is None else at - written)
        time.sleep(float(rng.uniform(1, 2)))
    note = f"median of {times}; the longest {max(took):.2f} s; rounds are 1 s apart"
    return Row(f"{runs} runs, jsonl, a NaN until it is told", "", math.nan, median(took), "", note)


# --- long runs --------------------------------------------------------------------------------


def _long(folder: Path, runs: int, quick: bool) -> Iterator[Row]:
    """Runs that grow to a million records while they are watched."""
    marks = (2_000, 4_000) if quick else _MARKS
    logs = Growing(folder, runs, "jsonl")
    logs.grow(HISTORY)
    what = f"{runs} run{'s' if runs > 1 else ''}, jsonl, grown to"
    with ExitStack() as on:
        on.callback(logs.close)
        watch = on.enter_context(Attached([*MONITOR, str(folder)], "run"))
        time.sleep(3.0)
        begin, before, peak = time.monotonic(), watch.used, 0.0
        for mark in marks:
            while logs.step < mark:
                logs.grow(min(_BLOCK, mark - logs.step))
                time.sleep(0.2)
                peak = max(peak, watch.held)
            peak = max(peak, _rested(watch))
            took, used = time.monotonic() - begin, watch.used - before
            note = f"{peak:.0f} MB at most while a look was under way; "
            note += f"{1e3 * used / took:.0f} ms of processor time a second since the start"
            yield Row(f"{what} {mark:,} records, {_MEMORY}", "", math.nan, watch.alone, "",
                      note, "MB")  # fmt: skip


def _rested(watch: Attached) -> float:
    """Wait a little for what was written last to be read; the most that was held meanwhile."""
    peak = 0.0
    for _ in range(15):
        time.sleep(0.2)
        peak = max(peak, watch.held)
    return peak
