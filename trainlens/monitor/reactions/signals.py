"""``--pid``: a signal for the process that trains."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from trainlens.errors import UsageError
from trainlens.monitor.model import WAITING, Change, Standing, Update
from trainlens.monitor.reactions.stop import Criteria, named
from trainlens.monitor.reactions.told import FOR_THE_WORSE
from trainlens.rules.base import Finding

_PROC = Path("/proc")


class Signaller:
    """Sends a signal once, to the process that was meant when the watch began.

    A number may be given to another process after the first one ended, so that the moment at
    which the process began is compared before the signal is sent.

    What counts is what opens or gets worse in a run that this watch has looked at before, or that
    appeared after the watch had begun. What the first look at an older log shows may be of an
    earlier training, and what was told before has been answered: neither sends a signal, a
    notice says so.

    Parameters
    ----------
    pid : int
    number : int
        Of the signal.
    wanted : Criteria

    Raises
    ------
    UsageError
        There is no such process, it is this one, or it must not be signalled.
    """

    def __init__(self, pid: int, number: int, wanted: Criteria) -> None:
        self._pid = pid
        self._number = number
        self._wanted = wanted
        self._began = _checked(pid)
        self._old: set[tuple[str, str]] | None = None
        self._done = self._withheld = False

    def look(self, update: Update) -> Iterator[str]:
        """Take note of a round and send the signal if it is due; what was done."""
        if self._old is None:
            self._old = {
                (run.name, run.source)
                for run in update.runs
                if run.points or run.state != WAITING
            }  # fmt: skip
        looked = [run for run in update.runs if run.looked is not None]
        first = [run for run in looked if (run.name, run.source) in self._old]
        cause = next(filter(self._counts, update.changes), None)
        if cause is not None and not self._done:
            self._done = True
            yield self._sent(named(cause.finding, cause.run))
        elif not self._done and not self._withheld:
            yield from self._left_alone(first)
        self._old -= {(run.name, run.source) for run in first}

    def _counts(self, change: Change) -> bool:
        assert self._old is not None
        fresh = change.kind in FOR_THE_WORSE and (change.run, change.source) not in self._old
        return fresh and self._wanted.meet(change.finding)

    def _left_alone(self, runs: list[Standing]) -> Iterator[str]:
        held: list[tuple[Finding, str]] = [(f, run.name) for run in runs for _, f in run.findings]
        for finding, run in held:
            if self._wanted.meet(finding):
                self._withheld = True
                yield (
                    f"process {self._pid} gets no signal for {named(finding, run)}: "
                    "that was there when the watch began"
                )
                return

    def _sent(self, cause: str) -> str:
        name = signal.Signals(self._number).name
        if began(self._pid) != self._began:
            return f"process {self._pid} has ended, so that {name} was not sent for {cause}"
        try:
            os.kill(self._pid, self._number)
        except ProcessLookupError:
            return f"process {self._pid} has ended, so that {name} was not sent for {cause}"
        except OSError as error:
            return f"{name} could not be sent to process {self._pid}: {error.strerror}; {cause}"
        return f"sent {name} to process {self._pid} because of {cause} ({self._wanted.said})"


def number(text: str) -> int:
    """The number of a signal by its name or number.

    Examples
    --------
    >>> number("TERM") == number("sigterm") == number("15")
    True

    Raises
    ------
    UsageError
        No signal of this system.
    """
    name = text.strip().upper()
    try:
        if name.isascii() and name.isdigit():
            return int(signal.Signals(int(name)))
        return int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError):
        raise UsageError(f"--signal {text!r} is no signal; try TERM, INT or USR1") from None


def began(pid: int) -> str:
    """What tells when a process began; empty where it has ended.

    Of Linux the clock ticks since the machine started, elsewhere what ``ps`` says.
    """
    if (_PROC / "self" / "stat").exists():
        try:
            text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        except OSError:
            return ""
        # The name of the program stands in brackets and may hold anything, brackets too.
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, env=environ, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    state, _, moment = done.stdout.decode("ascii", "replace").strip().partition(" ")
    return "" if state.startswith("Z") else moment.strip()


def _checked(pid: int) -> str:
    """When the process began that is meant."""
    if os.name == "nt":
        raise UsageError("--pid: this system has no signals; use --on-finding with taskkill")
    if pid < 1 or pid == os.getpid():
        raise UsageError(f"--pid {pid}: give the number of the process that trains")
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        raise UsageError(f"--pid {pid}: there is no such process") from None
    except PermissionError:
        raise UsageError(
            f"--pid {pid}: it belongs to another user, who alone may signal it"
        ) from None
    found = began(pid)
    if not found:
        raise UsageError(f"--pid {pid}: this process has ended, or cannot be looked at")
    return found
