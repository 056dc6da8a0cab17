"""A command of the user, bounded in time and in what is kept of its output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from trainlens.monitor.reactions.told import line

GRACE = 2.0
"""Seconds between asking a command to end and ending it."""
LONGEST_END = GRACE + 1.0
"""Seconds that it takes at most until a command has ended, once that is wanted."""
TIMEOUT, CANCELLED = "timeout", "cancelled"

_KEPT = 1 << 16
_CHUNK = 1 << 16
_FAST = 1 << 20
_PAUSE = 0.01
_LOOK = 0.1
_REST = 0.5


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Parameters
    ----------
    code : int or None
        Exit code, negative for a signal; None where the system could not end it.
    ended : str
        ``timeout`` or ``cancelled`` where it had to be ended, else empty.
    said : str
        Last line of its standard error, else of its output, safe to print.
    """

    code: int | None
    ended: str
    said: str


def run(
    command: str | Sequence[str],
    *,
    given: bytes,
    environ: Mapping[str, str],
    timeout: float,
    cancelled: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Run a command to its end, which comes at `timeout` or when `cancelled` is set at the latest.

    It runs in a session of its own: neither Ctrl-C nor the keyboard is its. At the end of its time
    its whole process group is asked to end, and killed `GRACE` seconds later. What it leaves
    running when it ends by itself goes on.

    Parameters
    ----------
    command : str or sequence of str
        A text goes to the shell as it is.
    given : bytes
        Its standard input; whether it reads that is its own affair.
    environ : mapping of str to str
    timeout : float
        Seconds.
    cancelled : Event
    clock : callable
        Seconds that never go back.

    Raises
    ------
    OSError
        It cannot be started.
    """
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=dict(environ),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    _thread(_give, process.stdin, given)
    output, errors = _Heard(process.stdout), _Heard(process.stderr)
    until = clock() + timeout
    ended = ""
    if not _over(process, until, cancelled, clock):
        ended = CANCELLED if cancelled.is_set() else TIMEOUT
        _end(process, clock)
    return Outcome(process.poll(), ended, errors.last() or output.last())


def _over(
    process: subprocess.Popen[bytes],
    until: float,
    cancelled: threading.Event,
    clock: Callable[[], float],
) -> bool:
    while not cancelled.is_set() and clock() < until:
        try:
            process.wait(max(0.001, min(_LOOK, until - clock())))
        except subprocess.TimeoutExpired:
            continue
        return True
    return process.poll() is not None


def _end(process: subprocess.Popen[bytes], clock: Callable[[], float]) -> None:
    """End a command and all that it has started."""
    _signal(process, signal.SIGTERM)
    until = clock() + GRACE
    # Its shell may be gone while a child of it lives on: the group counts.
    while _lives(process) and clock() < until:
        time.sleep(_LOOK / 2)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    # What hangs in the system can be ended by the system alone.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


def _lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # a dead leader that nobody asked for would count as a member
    return _signal(process, 0)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the group; whether there was still somebody."""
    if not hasattr(os, "killpg"):
        if number and process.poll() is None:
            process.kill()
        return process.poll() is None
    try:
        os.killpg(process.pid, number)
    except OSError:
        return False
    return True


def _give(stream: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    try:
        with stream:
            while rest:
                rest = rest[stream.write(rest) :]
    except OSError:
        pass  # it ended, or closed its input, without reading


class _Heard:
    """Keeps the end of what a command says, and listens on so that the command is not held up."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._kept = b""
        self._thread = _thread(self._listen, stream)

    def last(self) -> str:
        """The last line that says something, safe to print."""
        # What a command leaves running may hold the stream for ever.
        self._thread.join(_REST)
        lines = self._kept.decode("utf-8", "replace").split("\n")
        return next((text for text in map(line, reversed(lines)) if text), "")

    def _listen(self, stream: IO[bytes]) -> None:
        heard = 0
        with stream:
            while data := stream.read(_CHUNK):
                self._kept = (self._kept + data)[-_KEPT:]
                heard += len(data)
                if heard > _FAST:
                    time.sleep(_PAUSE)  # a flood would take a core from the training


def _thread(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, name="trainlens-hook", daemon=True)
    thread.start()
    return thread
