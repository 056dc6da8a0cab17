"""Reads the machine in a thread while it trains."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, TypeVar

import torch

from trainlens_torch.checks import number
from trainlens_torch.system import gpu
from trainlens_torch.system.advice import advice
from trainlens_torch.system.host import disk, host_reader
from trainlens_torch.system.oom import is_out_of_memory
from trainlens_torch.system.times import Times

__all__ = ["SystemMonitor"]

T = TypeVar("T")
Readings = dict[str, float]

_PATIENCE = 2.0


class SystemMonitor:
    """GPU, processor, memory, disk, and the times of steps, under names that trainlens reads.

    A thread of its own reads the machine; what the loop calls takes the last readings and waits
    for nothing::

        with SystemMonitor(every=10, folder="runs/a") as system:
            for step, batch in enumerate(system.timed(loader)):
                ...
                system.step(samples=len(batch))
                logger.log(step, {"loss": loss}, stats=system.stats())
        print(system.advice())

    Utilisation, temperature and power of the GPU need ``nvidia-ml-py``, the load of the processor
    in percent needs ``psutil``; without them the readings are fewer, and nothing fails.

    Parameters
    ----------
    every : float
        Seconds between two readings of the machine, above 0.
    folder : path-like
        Its disk is the one whose free space is read.
    device : torch.device or str, optional
        By default the device that is current in the thread that made the monitor or calls it.
    clock : callable
        Returns seconds that never go back.
    sleep : callable, optional
        Waits between two readings; by default until the time has passed or the monitor is closed.
    readers : sequence of callable, optional
        Instead of those of the host: each returns a mapping of names to numbers.

    Raises
    ------
    TypeError, ValueError
        `every` is no number above 0.

    Examples
    --------
    >>> with SystemMonitor(readers=[lambda: {"ram_percent": 95.0}]) as system:
    ...     print(system.read()["ram_percent"], len(system.advice()))
    95.0 1
    """

    def __init__(
        self,
        every: float = 10.0,
        *,
        folder: str | os.PathLike[str] = ".",
        device: torch.device | str | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] | None = None,
        readers: Iterable[Callable[[], Readings]] | None = None,
    ) -> None:
        self.every = number(every, "every", above=True)
        self.times = Times(clock)
        self.errors = 0
        self._device = None if device is None else torch.device(device)
        self._sleep = sleep
        own = (host_reader(), lambda: disk(folder))
        self._readers = tuple(own if readers is None else readers)
        self._latest: Readings = {}
        self._unread: deque[Readings] = deque(maxlen=1)
        self._step: Readings = {}
        self._ooms = 0
        self._closed = False
        self._start()

    def read(self) -> Readings:
        """Read the machine now, in this thread; a reader that fails is left out and counted."""
        found: Readings = {}
        for reader in (*self._readers, self._read_device):
            try:
                found |= reader()
            # Drivers and other packages raise what they like; a reading is not worth a training.
            except Exception:
                self.errors += 1
        self._latest = found
        self._unread.append(found)
        return dict(found)

    def stats(self) -> Readings:
        """Numbers for the log: the times of the last step, and readings that are new."""
        self._alive()
        out: Readings = {}
        with suppress(IndexError):  # nothing new; to ask first would race with the thread
            out |= self._unread.pop()
        step, self._step = self._step, {}
        out |= step
        if self._ooms:
            out["num_ooms"] = max(float(self._ooms), out.get("num_ooms", 0.0))
        return out

    def timed(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a loader; the time that each took to come is its data time."""
        return self.times.timed(loader)

    def data(self) -> AbstractContextManager[None]:
        """Around what gets the next batch, in a loop without `timed`."""
        return self.times.data()

    def step(self, **done: float) -> None:
        """End a step. ``samples=64`` gives ``samples_per_sec``, ``tokens=4096`` tokens."""
        self._step = self.times.step(**done)

    def pause(self) -> None:
        """What follows (evaluation, a checkpoint) belongs to no step."""
        self.times.pause()

    def advice(self) -> list[str]:
        """What to do about memory, disk and times; one sentence each."""
        return advice(self._latest, self.times.usual())

    def record_oom(self, error: BaseException, step: int, *, clean: bool = True) -> dict[str, Any]:
        """Record that memory ran out, and give back what the allocator holds unused.

        Call it behind the ``except`` block, where the frames of the failed step, which hold its
        tensors, are gone, and log what it gives with the count that it raises::

            record = system.record_oom(failed, step)
            logger.log(step, stats=system.stats(), anomalies=[record])

        Parameters
        ----------
        error : BaseException
        step : int
        clean : bool
            Whether to empty the cache of the allocator.

        Returns
        -------
        dict
            A record for ``anomalies``: ``type`` (``out_of_memory``), ``step``, ``value`` (how many
            so far), ``message``, ``memory`` (readings at that time).

        Raises
        ------
        ValueError
            The error is another one: it is not to be swallowed.
        """
        if not is_out_of_memory(error):
            raise ValueError(f"not an error of memory: {type(error).__name__}: {error}")
        self._ooms += 1
        before = self._device_memory()
        if clean and gpu.in_use():
            torch.cuda.empty_cache()
        lines = str(error).splitlines() or [type(error).__name__]
        return {
            "type": "out_of_memory",
            "step": step,
            "value": self._ooms,
            "message": f"memory ran out: {lines[0][:200]}; take smaller batches and accumulate",
            "memory": before,
        }

    def close(self) -> None:
        """End the thread. Repeating it does nothing."""
        self._closed = True
        self._stop.set()
        if self._thread is not threading.current_thread() and self._pid == os.getpid():
            self._thread.join(_PATIENCE)

    def __enter__(self) -> SystemMonitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._stop = threading.Event()
        self._find_device()
        # A daemon: a reading that hangs in a driver does not hold up the end of the program.
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name="trainlens-system", daemon=True
        )
        self._thread.start()

    def _alive(self) -> None:
        self._find_device()
        # Threads do not live on in a forked process, nor are the locks there to be trusted.
        if self._pid != os.getpid() and not self._closed:
            self._start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.read()
            if self._sleep is None:
                stop.wait(self.every)
            else:
                self._sleep(self.every)

    def _find_device(self) -> None:
        # Not in the thread: there the current device is always the first.
        if self._device is None:
            self._device = gpu.current()

    def _read_device(self) -> Readings:
        return {} if self._device is None else gpu.gpu(self._device)

    def _device_memory(self) -> Readings:
        if self._device is None:
            return {}
        try:
            return gpu.memory(self._device)
        except RuntimeError:
            self.errors += 1
            return {}
