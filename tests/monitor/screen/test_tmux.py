"""The screen in a real terminal multiplexer: keys, sizes, Ctrl-C, Ctrl-Z, and what is left."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.heeding import HEEDING

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds after which what was awaited is taken not to come."""

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not on this machine")


class Pane:
    """A shell in a pane of a tmux server of its own."""

    def __init__(self, folder):
        self._socket = str(folder / "tmux")
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        environment |= {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(HERE.parents[2]), "PS1": "$ "}
        # What some shells export, and what no longer holds once the window has another size.
        environment |= {"COLUMNS": "100", "LINES": "30"}
        self._run(
            "-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "30", "sh", env=environment
        )

    def _run(self, *arguments, **more):
        command = ["tmux", "-u", "-S", self._socket, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True, **HEEDING, **more
        ).stdout

    def press(self, *names):
        self._run("send-keys", *names)

    def resize(self, columns, lines):
        """Another size, and wait until the terminal has it: tmux hands it on a little later."""
        terminal = os.open(self._run("display-message", "-p", "#{pane_tty}").strip(),
                           os.O_RDWR | os.O_NOCTTY)  # fmt: skip
        try:
            end, asked = time.monotonic() + PATIENCE, 0.0
            while os.get_terminal_size(terminal) != (columns, lines):
                assert time.monotonic() < end, os.get_terminal_size(terminal)
                if time.monotonic() > asked + 2:  # now and then it forgets
                    asked = time.monotonic()
                    self._run("resize-window", "-x", str(columns + 1), "-y", str(lines))
                    self._run("resize-window", "-x", str(columns), "-y", str(lines))
                time.sleep(0.05)
        finally:
            os.close(terminal)

    def text(self):
        return self._run("capture-pane", "-p")

    def state(self):
        """Whether the cursor is visible, the alternate screen on, and lines wrap."""
        return self._run("display-message", "-p", "#{cursor_flag}#{alternate_on}#{wrap_flag}")[:3]

    def modes(self, tag):
        """What the terminal's modes are, as its shell says them."""
        self.press(f"clear; stty -g; echo {tag}-done", "Enter")
        self.until(lambda: f"\n{tag}-done" in self.text())
        return next(line for line in self.text().splitlines() if line.count(":") > 10)

    def until(self, holds):
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.text()
            time.sleep(0.05)

    def close(self):
        self._run("kill-server")


@pytest.fixture
def pane(tmp_path_factory):
    held = Pane(tmp_path_factory.mktemp("t"))
    yield held
    held.close()


def start(pane):
    pane.press(f"{sys.executable} {HERE / 'shown.py'}", "Enter")
    pane.until(lambda: "q quit" in pane.text())


def test_keys_sizes_and_an_interrupt(pane):
    before = pane.modes("before")
    start(pane)
    assert pane.state() == "010"
    shown = pane.text()
    assert "▸●  aa" in shown
    assert len(shown.splitlines()) == 30

    pane.press("j")
    pane.until(lambda: "▸●  bb" in pane.text())
    pane.press("Right", "l")
    pane.until(lambda: "validation loss  0.48" in pane.text() and "log axis" in pane.text())
    pane.press("f")
    pane.until(lambda: "May be:" in pane.text())
    pane.resize(44, 11)
    pane.until(lambda: len(pane.text().splitlines()) == 11)
    pane.press("Escape")
    pane.until(lambda: "failing" in pane.text() and "May be:" not in pane.text())
    pane.resize(120, 40)
    pane.until(lambda: "q quit" in pane.text().splitlines()[-1])

    pane.press("C-c")
    pane.until(lambda: "interrupted" in pane.text())
    assert pane.state() == "101"
    assert pane.modes("after") == before
    assert "q quit" not in pane.text()


def test_a_suspended_screen_comes_back(pane):
    before = pane.modes("before")
    start(pane)
    pane.press("C-z")
    pane.until(lambda: pane.state() == "101")
    assert pane.modes("stopped") == before
    pane.press("fg", "Enter")
    pane.until(lambda: "q quit" in pane.text())
    assert pane.state() == "010"
    pane.press("q")
    pane.until(lambda: "left by a key" in pane.text())
    assert pane.state() == "101"
    assert pane.modes("after") == before
