"""Keys of a terminal, one name each; where there is no terminal there are no keys."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

_NAMES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
    b"\x1b[Z": "backtab", b"\x1b[5~": "page-up", b"\x1b[6~": "page-down",
    b"\x1b[H": "home", b"\x1b[F": "end", b"\x1bOH": "home", b"\x1bOF": "end",
    b"\x1b[1~": "home", b"\x1b[4~": "end", b"\x1b[7~": "home", b"\x1b[8~": "end",
    b"\t": "tab", b"\x1b": "escape", b"\x1a": "suspend",
}  # fmt: skip
_TORN = 0.05
"""Seconds in which the rest of a key's code comes."""


class Keys(Protocol):
    """Where keys come from: a context manager that is on while keys are read."""

    def __enter__(self) -> object: ...

    def __exit__(self, *error: object) -> None: ...

    def read(self, seconds: float) -> list[str]:
        """Names of the keys that were pressed; waits at most so long for the first."""
        ...


class NoKeys:
    """A stand-in where nobody can press a key.

    Parameters
    ----------
    sleep : callable
        Waits so many seconds.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def __enter__(self) -> NoKeys:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self, seconds: float) -> list[str]:
        """Wait; there is never a key."""
        self._sleep(max(0.0, seconds))
        return []


class TerminalKeys:
    """Keys of the terminal behind a stream, one at a time and not echoed.

    Ctrl-C stays an interrupt. Ctrl-Z is read as ``suspend``, for whoever draws has to leave the
    screen first.

    Parameters
    ----------
    number : int
        Descriptor of the terminal.
    sleep : callable
        Waits so many seconds, once the terminal is closed.
    """

    def __init__(self, number: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._number, self._sleep = number, sleep
        self._before: list[Any] | None = None
        self._closed = False

    def __enter__(self) -> TerminalKeys:
        import termios

        self._before = termios.tcgetattr(self._number)
        wanted = termios.tcgetattr(self._number)
        wanted[3] &= ~(termios.ICANON | termios.ECHO)
        wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0
        wanted[6][termios.VSUSP] = _disabled(self._number)
        termios.tcsetattr(self._number, termios.TCSADRAIN, wanted)
        return self

    def __exit__(self, *error: object) -> None:
        import termios

        if self._before is not None:
            try:
                # Keys that nobody read are not for the shell.
                termios.tcsetattr(self._number, termios.TCSAFLUSH, self._before)
            except termios.error:
                self._closed = True  # the terminal is gone, and with it what was to be restored
            self._before = None

    def read(self, seconds: float) -> list[str]:
        """Names of the keys that were pressed; waits at most so long for the first."""
        if self._closed:
            self._sleep(max(0.0, seconds))
            return []
        data = self._bytes(max(0.0, seconds))
        while data and _torn(data):
            more = self._bytes(_TORN)
            if not more:
                break
            data += more
        return parsed(data)

    def _bytes(self, seconds: float) -> bytes:
        if not select.select([self._number], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._number, 1024)
        except OSError:
            data = b""
        self._closed = not data
        return data


def _disabled(number: int) -> bytes:
    try:
        return bytes([os.fpathconf(number, "PC_VDISABLE")])
    except (OSError, ValueError):
        return b"\0"


def _torn(data: bytes) -> bool:
    """Whether the last key's code may be incomplete."""
    at = data.rfind(b"\x1b")
    return at >= 0 and len(data) - at <= 8 and _length(data, at) > len(data) - at


def _length(data: bytes, at: int) -> int:
    """Bytes of the key that begins at a place; one more than there are where it is cut."""
    if data[at] != 0x1B:
        return 1
    rest = data[at + 1 :]
    if not rest:
        return 2
    if rest[:1] == b"O":
        return 3
    if rest[:1] != b"[":
        # Escape alone, and behind it another key.
        return 1
    for n, byte in enumerate(rest[1:], 3):
        if 0x40 <= byte <= 0x7E:
            return n
    return len(rest) + 2


def parsed(data: bytes) -> list[str]:
    r"""Names of the keys in what a terminal sent; codes that mean nothing here are left out.

    Examples
    --------
    >>> parsed(b"j\x1b[A\x1b[15~q\x1b")
    ['j', 'up', 'q', 'escape']
    """
    found, at = [], 0
    while at < len(data):
        code = data[at : at + _length(data, at)]
        if code in _NAMES:
            found.append(_NAMES[code])
        elif len(code) == 1 and 0x20 <= code[0] < 0x7F:
            found.append(code.decode("ascii"))
        at += len(code)
    return found


def keys_of(stream: TextIO | None, sleep: Callable[[float], None] = time.sleep) -> Keys:
    """Keys of a stream, or of none where it is no terminal of ours.

    Parameters
    ----------
    stream : text file or None
        Standard input.
    sleep : callable
        Waits so many seconds.
    """
    try:
        import termios

        number = stream.fileno() if stream is not None else -1
        # To touch a terminal that another job owns would stop this one.
        ours = os.isatty(number) and os.tcgetpgrp(number) == os.getpgrp()
        if ours:
            termios.tcgetattr(number)
            return TerminalKeys(number, sleep)
    except (ImportError, OSError, ValueError):
        pass
    return NoKeys(sleep)
