"""The recorder of a training loop: it never slows it, never ends it, and loses nothing silently."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from trainlens.errors import UsageError
from trainlens_torch.record import ending, ranks
from trainlens_torch.record.devices import Devices
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.held import Kept, Later, Waiting
from trainlens_torch.record.making import SinkLike, copies, makers
from trainlens_torch.record.outlet import Outlet
from trainlens_torch.record.pipeline import Pipeline, Watching
from trainlens_torch.record.settings import planned, readable, total_updates
from trainlens_torch.record.siblings import RollCall
from trainlens_torch.record.sinks import Closing, Target
from trainlens_torch.record.values import optional, plain, resolved, whole
from trainlens_torch.record.writer import Direct, Threaded, Writer

__all__ = ["RunLogger"]

_new: Callable[..., Entry] = tuple.__new__
_NOTHING: dict[str, Any] = {}
_FURTHEST = 2**63
_OPENING = 10.0
_OF_PROCESS = frozenset({"_faults", "_devices", "_outlets", "_writer", "_finalizer", "_add"})


class RunLogger:
    """Records what a training loop measures.

    `log` costs microseconds: the entry goes into a bounded queue, and a thread writes it within
    about 0.05 s. It neither raises nor waits: values that are no numbers are left out, sinks that
    fail are tried again while entries wait, and each loss is counted (`errors`, `dropped`), told
    once through `logging`, and told in the log itself as an anomaly of a record.

    Tensors on the CPU are read at once. Those on a device stay there: their copies reach the host
    without a stop of the device, and the record waits for them. With ``sync=True`` they are
    waited for.

    Parameters
    ----------
    path : str or path-like
        Folder of the run, made if missing: ``log.jsonl`` and the files of the other sinks. Or a
        file that ends in ``.jsonl`` for the native log. What is there is continued. Rank 1 writes
        ``log.rank1.jsonl``; a forked process, or a copy that was pickled, ``log.pid77.jsonl``.
        Where there are several ranks, rank 0 adds ``log.ranks.json`` at its end: how far each came,
        and the metrics across them.
    sinks : sequence
        ``"jsonl"``, ``"tensorboard"``, ``"aim"`` or ``"aim:REPOSITORY"``, ``"text"``, ``"csv"``,
        ``"progress"``, or a function that takes a `Target` and returns a `Sink`.
    config : mapping, dataclass or namespace, optional
        For the head of the log; what JSON cannot hold becomes its text.
    schedules : mapping or Scheduler, optional
        Planned schedules by field, as `Scheduler.header` gives them.
    sync : bool
        Write before `log` returns: what `log` acknowledged survives ``kill -9``. Otherwise the
        last 0.05 s may be lost by it, and nothing by an exit or an exception.
    run : str, optional
        Name of the run; by default that of the folder or file.
    strict : bool
        Raise instead: bad values at once, faults of a sink at the next `log`.
    rank : int, optional
        By default that of the process group or the launcher.
    limit : int
        Entries that may wait to be written; new ones beyond it are dropped, counted, and told in
        the log.
    watchers : sequence
        Objects with ``see(entry)``, called in the thread that writes; their anomalies go into the
        record.
    end : bool
        Whether a last line of the native log says that it was ended, and how: reports and the
        monitor know it at once then. Whoever reads the lines must pass over it as over the header.
    clock : callable
        Returns Unix seconds.

    Raises
    ------
    UsageError, MissingExtra
        An unknown sink, a name that is no path, or a sink whose library is missing.
    OSError
        Only where it is `strict`: a sink cannot be opened.

    Examples
    --------
    >>> with RunLogger("runs/a", config={"lr": 1e-3}) as log:  # doctest: +SKIP
    ...     for step in range(1000):
    ...         log.log(step, losses={"total": loss}, stats={"lr": 1e-3})
    """

    _add: Callable[[Entry | Waiting], None]

    def __init__(
        self,
        path: str | os.PathLike[str],
        sinks: Sequence[SinkLike] = ("jsonl",),
        config: Any = None,
        schedules: Any = None,
        sync: bool = False,
        *,
        run: str | None = None,
        strict: bool = False,
        rank: int | None = None,
        limit: int = 100_000,
        watchers: Sequence[Watching] = (),
        end: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if limit < 1:
            raise UsageError(f"limit must be 1 or more, not {limit}")
        self.path = Path(path).expanduser().absolute()
        self.sync, self.strict = sync, strict
        self._sinks = (sinks,) if isinstance(sinks, str) else tuple(sinks)
        self._is_file = self.path.suffix == ".jsonl" and not self.path.is_dir()
        self._run = run or (self.path.stem if self._is_file else self.path.name)
        self._config = readable(config) or {}
        self._schedules = readable(planned(schedules))
        self._rank, self._limit, self._end = rank, limit, end
        self._watchers, self._clock = tuple(watchers), clock
        self._home = (os.getpid(), self._own_rank())
        self._closed = False
        self._unstarted()
        self._start()

    @property
    def errors(self) -> int:
        """Values left out, records refused and failed attempts to write, so far."""
        return self._faults.errors

    @property
    def dropped(self) -> int:
        """Records that were given up: the queue was full, or a sink failed for too long."""
        return self._faults.dropped

    def log(
        self,
        step: int,
        losses: Mapping[str, Any] | None = None,
        stats: Mapping[str, Any] | None = None,
        split: str = "train",
        epoch: float | None = None,
        progress: float | None = None,
        anomalies: Sequence[Any] = (),
    ) -> None:
        """Record one step.

        Parameters
        ----------
        step : int
            Optimizer updates so far. One that goes back is a new attempt of the run.
        losses, stats : mapping of str to number
            Floats, integers, booleans, scalars of numpy, tensors of one element on any device.
            NaN and infinities are kept.
        split : str
        epoch, progress : float, optional
        anomalies : sequence
            What the training itself has to say of this step: words, or mappings with a ``type``,
            as `SystemMonitor.record_oom` gives one.
        """
        try:
            now = self._clock()
            values = plain(losses) if losses is not None else {}
            more = plain(stats) if stats is not None else {}
            if (
                values is None or more is None or epoch is not None or progress is not None
                or type(step) is not int or type(split) is not str or anomalies
            ):  # fmt: skip
                self._log_any(step, now, losses, stats, split, epoch, progress, anomalies)
            elif -_FURTHEST <= step < _FURTHEST:
                self._add(_new(Entry, (step, now, values, more, split, None, None, ())))
            else:
                whole(step)
        except Exception as error:  # whatever it is, it must not end a training
            self._faults.tell(type(error).__name__, error, f"step {step!r:.50}: {error}")
            if self.strict:
                self._faults.latest = None
                raise

    def flush(self, timeout: float = 10.0) -> bool:
        """Have all that was logged written, and brought to the disk itself.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        bool
            Whether it is all there.
        """
        if self._closed:
            return False
        return self._start().flush(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Write what waits and end the log; what takes longer than `timeout` seconds is dropped."""
        if self._closed:
            return
        self._closed = True
        if self._closing.how == "exit":
            self._closing.how = "closed"
        self._add = partial(_refused, self.path)
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._writer is not None:
            self._writer.close(timeout)

    def renew(self) -> None:
        """Begin anew in a process that was forked: a file of its own, at its first `log`."""
        for outlet in self._outlets:
            outlet.abandon()
        if self._finalizer is not None:
            self._finalizer.detach()
        self._unstarted()

    def __enter__(self) -> RunLogger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, SystemExit):
            self._closing.how = "exception"
        self.close()

    def __repr__(self) -> str:
        state = f"{self.errors} errors, {self.dropped} dropped" + ", closed" * self._closed
        return f"RunLogger({os.fspath(self.path)!r}, {state})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _OF_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._unstarted()

    def _unstarted(self) -> None:
        """Everything that belongs to one process, before the first entry of it."""
        self._faults = Faults(str(self.path))
        self._devices = Devices()
        self._outlets: list[Outlet] = []
        self._closing = Closing()
        self._writer: Writer | None = None
        self._finalizer: weakref.finalize[..., RunLogger] | None = None
        self._add = partial(_refused, self.path) if self._closed else self._add_first
        ending.renewed_after_fork(self)

    def _start(self) -> Writer:
        if self._writer is not None:
            return self._writer
        process = os.getpid()
        rank = self._own_rank()
        other = process if rank == self._home[1] and process != self._home[0] else None
        self._outlets = self._made(rank, other)
        last = self._roll_call() if rank == 0 and other is None else None
        pipeline = Pipeline(self._outlets, self._watchers, self._faults, last)
        writer: Writer
        if self.sync:
            writer = Direct(pipeline, self._faults)
        else:
            collect = self._devices.collect
            writer = Threaded(pipeline, self._limit, self._faults, self._clock, collect)
        self._finalizer = weakref.finalize(self, writer.end)
        self._finalizer.atexit = False  # `ending` waits for the thread, too
        self._writer = writer
        self._add = partial(_strictly, writer, self._faults) if self.strict else writer.add
        if self.strict:
            self._opened_or_raise(writer)
        return writer

    def _made(self, rank: int, process: int | None) -> list[Outlet]:
        folder = self.path.parent if self._is_file else self.path
        file = ranks.own_file(self._native, rank, process)
        target = Target(
            folder=ranks.own_folder(folder, process), run=self._run, clock=self._clock,
            config=self._config, schedules=self._schedules or {}, rank=rank,
            total=total_updates(self._schedules, self._config),
            closing=self._closing if self._end else None,
            # A folder of its own has nothing of other runs.
            copies=() if self._is_file else copies(self._sinks, rank),
            ranks=1 if rank or process is not None else ranks.world() or 1,
        )  # fmt: skip
        return [
            Outlet(name, partial(make, target), self._limit, self._faults, self._clock)
            for name, make in makers(self._sinks, file)
        ]

    @property
    def _native(self) -> Path:
        """The native log of rank 0."""
        return self.path if self._is_file else self.path / "log.jsonl"

    def _roll_call(self) -> RollCall | None:
        if "jsonl" not in self._sinks:
            return None
        return RollCall(self._native, ranks.world(), self._clock)

    def _own_rank(self) -> int:
        return ranks.of_process() if self._rank is None else self._rank

    def _opened_or_raise(self, writer: Writer) -> None:
        writer.opened(_OPENING)
        error, self._faults.latest = self._faults.latest, None
        if error is not None:
            self.close()
            raise error

    def _add_first(self, item: Entry | Waiting) -> None:
        self._start().add(item)

    def _log_any(
        self, step: Any, now: float, losses: Any, stats: Any, split: Any, epoch: Any,
        progress: Any, anomalies: Any,
    ) -> None:  # fmt: skip
        """What is not all floats: the same, value by value."""
        refused: list[tuple[str, Exception]] = []
        number = whole(step)

        def refuse(name: str, error: Exception) -> None:
            refused.append((name, error))

        values, late = resolved(losses if losses is not None else _NOTHING, refuse)
        more, later = resolved(stats if stats is not None else _NOTHING, refuse)
        share = [_optional(*pair, refuse) for pair in (("epoch", epoch), ("progress", progress))]
        arriving = self._arriving(number, now, late, later, refuse)
        split = "train" if split is None else str(split)
        told = (*_said(anomalies), *self._left_out(refused))
        entry = Entry(number, now, values, more, split, share[0], share[1], told)
        self._add(entry if arriving is None else Waiting(entry, arriving))

    def _arriving(
        self, step: int, now: float, losses: Mapping[str, Any], stats: Mapping[str, Any],
        refuse: Callable[[str, Exception], None],
    ) -> Later | None:  # fmt: skip
        if not losses and not stats:
            return None
        try:
            if self.sync:
                return Kept(losses, stats)
            return self._devices.put(step, now, losses, stats)
        except (BufferError, RuntimeError, ValueError) as error:
            for name in (*losses, *stats):
                refuse(name, error)
            return None

    def _left_out(self, refused: list[tuple[str, Exception]]) -> Iterator[dict[str, Any]]:
        """Anomalies for the values that are told for the first time."""
        for name, error in refused:
            if self.strict:
                raise type(error)(f"{name!r}: {error}") from error
            message = f"{name!r} is left out: {error}"
            if self._faults.tell(f"value {name}", error, message):
                yield {"type": "value_left_out", "message": message}


def _strictly(writer: Writer, faults: Faults, item: Entry | Waiting) -> None:
    """Add, and raise what went wrong in the sinks since the last time."""
    error, faults.latest = faults.latest, None
    if error is not None:
        raise error
    writer.add(item)
    error, faults.latest = faults.latest, None
    if error is not None:
        raise error


def _refused(path: Path, item: Entry | Waiting) -> None:
    raise ValueError("the log is closed: nothing is recorded any more")


def _said(anomalies: Any) -> list[Any]:
    """Anomalies of a user as plain JSON values; one that stands alone is taken for a list."""
    alone = isinstance(anomalies, str | Mapping)
    return [readable(one) for one in ((anomalies,) if alone else anomalies)]


def _optional(name: str, value: Any, refuse: Callable[[str, Exception], None]) -> float | None:
    try:
        return optional(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        refuse(name, error)
        return None
