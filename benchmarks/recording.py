"""What recording a step of 8 floats costs the training loop, against other recorders.

Run with ``python -m benchmarks recording``. Each recorder takes the same 8 values a step, in
turns, in blocks of 200 steps, each call timed alone; mean and 99th percentile are those of all
calls of all blocks. Its own writer thread works meanwhile. A peer that takes one value
a call is called 8 times a step. One of ours has a target that takes 1 s a write.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from benchmarks.table import Row

_STEPS, _BLOCKS = 200, 12
_SETTLE = 0.2  # seconds in which the thread of the one before writes what it has left
_NAMES = tuple(f"loss_{number}" for number in range(8))
_NEVER = float("nan")
Log = Callable[[int, dict[str, float]], object]
Opened = Callable[[Path, ExitStack], Log]


def results(quick: bool = False) -> list[Row]:
    """Rows against each peer, of the mean; then our own figures."""
    steps, blocks = (50, 2) if quick else (_STEPS, _BLOCKS)
    makers: dict[str, Opened] = {
        "ours": _ours,
        "sync": _sync,
        "slow": _slow,
        "torch SummaryWriter": _summary_writer,
        "aim Run.track": _aim,
        "trackio": _trackio,
        "csv.writer": _csv,
        "Lightning CSVLogger": _lightning,
    }
    times, absent = _measured(makers, steps, blocks)
    ours, sync, slow = times.pop("ours"), times.pop("sync"), times.pop("slow")
    rows = [
        Row(
            "`RunLogger.log`, 8 floats, mean", peer, fmean(theirs) * 1e3, fmean(ours) * 1e3,
            note=f"per step; their p99 {_p99(theirs) * 1e3:.3f} ms", unit="ms",
        )
        for peer, theirs in times.items()
    ]  # fmt: skip
    rows += [
        Row("`RunLogger.log`, 8 floats, mean", peer, _NEVER, fmean(ours) * 1e3, note=why, unit="ms")
        for peer, why in absent.items()
    ]
    return [
        *rows,
        _own("`RunLogger.log`, 8 floats, mean", fmean(ours), "<= 0.01 ms"),
        _own("`RunLogger.log`, 8 floats, p99", _p99(ours), "<= 0.05 ms"),
        _own("`RunLogger.log`, 8 floats, target of 1 s a write, p99", _p99(slow), "<= 0.05 ms"),
        _own("`RunLogger.log`, 8 floats, sync, mean", fmean(sync), ""),
        _own("`RunLogger.log`, 8 floats, sync, p99", _p99(sync), ""),
    ]


def _own(work: str, seconds: float, goal: str) -> Row:
    return Row(work, "", _NEVER, seconds * 1e3, goal, "per step", unit="ms")


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * len(times))]


def _measured(
    makers: dict[str, Opened], steps: int, blocks: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of every call by recorder, and why others were not measured."""
    times: dict[str, list[float]] = {}
    absent: dict[str, str] = {}
    logging.getLogger("lightning").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        logs: dict[str, Log] = {}
        for number, (name, make) in enumerate(makers.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            try:
                logs[name] = make(place, stack)
            except ImportError as error:
                absent[name] = f"not installed: {error.name}"
        for block in range(blocks):
            for name, log in logs.items():
                time.sleep(_SETTLE)
                times.setdefault(name, []).extend(_block(log, block * steps, steps))
    return times, absent


def _block(log: Log, first: int, steps: int) -> list[float]:
    taken = []
    for step in range(first, first + steps):
        values = {name: 1.0 / (step + 1) for name in _NAMES}
        begin = time.perf_counter()
        log(step, values)
        taken.append(time.perf_counter() - begin)
    return taken


def _ours(folder: Path, stack: ExitStack) -> Log:
    from trainlens_torch.record.logger import RunLogger

    return stack.enter_context(RunLogger(folder)).log


def _sync(folder: Path, stack: ExitStack) -> Log:
    from trainlens_torch.record.logger import RunLogger

    return stack.enter_context(RunLogger(folder, sync=True)).log


class _Sleeping:
    """A sink that waits as a disk does: without the interpreter."""

    def write(self, entries: Sequence[object]) -> None:
        time.sleep(1.0)

    def flush(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def _slow(folder: Path, stack: ExitStack) -> Log:
    from trainlens_torch.record.logger import RunLogger

    return stack.enter_context(RunLogger(folder, sinks=(lambda target: _Sleeping(),))).log


def _summary_writer(folder: Path, stack: ExitStack) -> Log:
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder))
    stack.callback(writer.close)

    def log(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return log


def _aim(folder: Path, stack: ExitStack) -> Log:
    run = importlib.import_module("aim").Run(
        repo=str(folder), system_tracking_interval=None, log_system_params=False,
        capture_terminal_logs=False,
    )  # fmt: skip
    stack.callback(run.close)

    def log(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            run.track(value, name=name, step=step)

    return log


def _trackio(folder: Path, stack: ExitStack) -> Log:
    os.environ["TRACKIO_DIR"] = str(folder)  # read at its import
    trackio = importlib.import_module("trackio")
    _quietly(
        lambda: trackio.init(project="bench", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    )
    stack.callback(_quietly, trackio.finish)
    return lambda step, values: trackio.log(values, step=step)


def _quietly(call: Callable[[], object]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        call()


def _csv(folder: Path, stack: ExitStack) -> Log:
    file = stack.enter_context((folder / "log.csv").open("w", newline=""))
    writer = csv.writer(file)
    writer.writerow(["step", *_NAMES])
    return lambda step, values: writer.writerow([step, *values.values()])


def _lightning(folder: Path, stack: ExitStack) -> Log:
    loggers = importlib.import_module("lightning.pytorch.loggers")
    logger = loggers.CSVLogger(str(folder))
    stack.callback(logger.save)
    return lambda step, values: logger.log_metrics(values, step)  # saves every 100 steps
