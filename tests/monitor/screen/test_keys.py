"""Keys of a real terminal, through a pseudo-terminal."""

import contextlib
import os
import pty
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.monitor.screen.keys import NoKeys, TerminalKeys, keys_of, parsed

LONG = 5.0
"""Seconds within which a key that was pressed is there."""


@pytest.fixture
def terminal():
    """Both ends of a terminal: ours, and the one that a program has as its input."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    for number in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(number)


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (b"jk", ["j", "k"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA\x1bOD", ["up", "left"]),
        (b"\t\x1b[Z", ["tab", "backtab"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["page-up", "page-down", "home", "end"]),
        (b"\x1b[15~q", ["q"]),
        (b"\x1b[1;5Cq", ["q"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b", ["escape"]),
        (b"\x1a", ["suspend"]),
        ("ä漢".encode(), []),
        (b"\x00\x07\r\n\x7f", []),
        (b"\x1b[<0;10;20M?", ["?"]),
        (b"", []),
    ],
)
def test_codes_of_keys(sent, names):
    assert parsed(sent) == names


@given(st.binary(max_size=60))
def test_whatever_is_sent_gives_names(data):
    assert all(isinstance(name, str) and name.isprintable() for name in parsed(data))


def test_keys_come_at_once_and_are_not_echoed(terminal):
    ours, theirs = terminal
    with TerminalKeys(theirs) as keys:
        os.write(ours, b"l")
        assert keys.read(LONG) == ["l"]
        assert keys.read(0) == []
        os.set_blocking(ours, False)
        with pytest.raises(BlockingIOError):
            os.read(ours, 10)


def test_a_code_that_comes_in_two_parts_is_one_key(terminal, monkeypatch):
    ours, theirs = terminal
    with TerminalKeys(theirs) as keys:
        read = os.read

        def torn(number, most):
            data = read(number, 1)
            if data == b"\x1b":
                os.write(ours, b"[A")
            return data

        monkeypatch.setattr(os, "read", torn)
        os.write(ours, b"\x1b")
        assert keys.read(LONG) == ["up"]


def test_escape_alone_is_a_key(terminal):
    ours, theirs = terminal
    with TerminalKeys(theirs) as keys:
        os.write(ours, b"\x1b")
        assert keys.read(LONG) == ["escape"]


def test_the_terminal_is_as_it_was_whatever_happens(terminal):
    _, theirs = terminal
    before = termios.tcgetattr(theirs)
    with TerminalKeys(theirs):
        held = termios.tcgetattr(theirs)
    assert not held[3] & (termios.ICANON | termios.ECHO)
    # Ctrl-C stays an interrupt.
    assert held[3] & termios.ISIG
    assert held[6][termios.VINTR] == before[6][termios.VINTR]
    with pytest.raises(KeyboardInterrupt), TerminalKeys(theirs):
        raise KeyboardInterrupt
    assert termios.tcgetattr(theirs) == before


def test_a_terminal_that_closes_gives_no_keys_and_no_busy_loop(terminal):
    ours, theirs = terminal
    slept = []
    with TerminalKeys(theirs, slept.append) as keys:
        os.close(ours)
        assert keys.read(LONG) == []
        assert keys.read(3.0) == []
        assert keys.read(2.0) == []
    assert slept[-2:] == [3.0, 2.0]


def test_what_is_no_terminal_has_no_keys(tmp_path):
    slept = []
    with (tmp_path / "file").open("w+") as file:
        for stream in (None, file):
            keys = keys_of(stream, slept.append)
            assert isinstance(keys, NoKeys)
            with keys:
                assert keys.read(1.5) == []
    assert slept == [1.5, 1.5]


def test_a_terminal_that_another_job_owns_is_left_alone(terminal):
    # It is no controlling terminal of this process: to set its modes could stop the process.
    with os.fdopen(os.dup(terminal[1])) as stream:
        assert isinstance(keys_of(stream), NoKeys)


def test_standard_input_that_was_closed_has_no_keys():
    with open(os.devnull) as held:
        pass
    assert isinstance(keys_of(held), NoKeys)
