"""A process that watches, seen from outside: what it takes, holds and says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from benchmarks.launch import resident

_HZ = os.sysconf("SC_CLK_TCK")
MONITOR = (sys.executable, "-m", "trainlens", "monitor", "--plain", "--no-state", "--interval", "1")


def processor_time(process: int) -> float:
    """Seconds of processor time of a process, of all below it and of those that have ended.

    0 where the system does not tell (no ``/proc``), or the process is gone.
    """
    place = Path(f"/proc/{process}")
    try:
        # The name of the program stands in brackets and may hold anything, brackets too.
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        lists = [path.read_text() for path in place.glob("task/*/children")]
    except OSError:
        return 0.0
    own = sum(map(int, fields[11:15])) / _HZ
    below = [int(child) for each in lists for child in each.split()]
    return own + sum(map(processor_time, below))


class Attached:
    """A command that runs beside the logs; a context manager.

    Parameters
    ----------
    command : sequence of str
    mark : str
        What stands in lines that tell how far it is.

    Attributes
    ----------
    rounds : int
        Such lines so far.
    last : str
        The last of them.
    """

    def __init__(self, command: Sequence[str], mark: str) -> None:
        self._mark, self.rounds, self.last = mark, 0, ""
        environment = {**os.environ, "TRAINLENS_CACHE": "off", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._said: SimpleQueue[tuple[float, str]] = SimpleQueue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join(5.0)

    @property
    def alone(self) -> float:
        """Megabytes that its first process holds."""
        return self._pages() / 1e6

    @property
    def held(self) -> float:
        """Megabytes that it holds with all processes below it."""
        return resident(self._process.pid) / 1e6

    @property
    def used(self) -> float:
        """Seconds of processor time that it has taken with all processes below it.

        Raises
        ------
        RuntimeError
            If it has ended.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"the watch ended with {self._process.returncode}")
        return processor_time(self._process.pid)

    def told(self, words: Sequence[str], limit: float) -> float | None:
        """When it printed a line with all these words, as `time.monotonic` tells it.

        Parameters
        ----------
        words : sequence of str
        limit : float
            Seconds that are waited at most; None after them.
        """
        until = time.monotonic() + limit
        while (left := until - time.monotonic()) > 0:
            try:
                at, line = self._said.get(timeout=left)
            except Empty:
                return None
            if all(word in line for word in words):
                return at
        return None

    def _pages(self) -> int:
        fields = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put((time.monotonic(), line))
            if self._mark in line:
                self.last = line
                self.rounds += 1
