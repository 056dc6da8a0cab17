"""Work in a copy of the process: done once, or done here when the copy cannot."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trainlens.engine import _beside as engine

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

# The copy must not inherit the threads of other tests: each case runs in its own interpreter.
HEAD = """
import os, sys, time
from pathlib import Path
from trainlens.engine import _beside as engine
engine.os.cpu_count = lambda: 2
here = Path(sys.argv[1])
def note(name, text=""):
    with open(here / name, "a") as file:
        file.write(f"{os.getpid() == MAIN} {text}\\n")
def fail_apart(name):
    note(name)
    if os.getpid() != MAIN:
        raise ValueError("not here")
MAIN = os.getpid()
"""


def run(tmp_path, body):
    ran = subprocess.run(
        [sys.executable, "-c", HEAD + body, str(tmp_path)], capture_output=True, text=True
    )
    files = {p.name: p.read_text().split() for p in tmp_path.iterdir()}
    return ran.returncode, ran.stderr, files


def test_the_work_is_done_once_in_the_copy(tmp_path):
    code, err, files = run(
        tmp_path,
        "with engine.helper(lambda: note('ready')) as held:\n"
        "    held.start(note, 'done', 'x')\n"
        "    held.finish()\n",
    )
    assert (code, err) == (0, "")
    assert files == {"ready": ["False"], "done": ["False", "x"]}


def test_work_that_fails_in_the_copy_is_done_here(tmp_path):
    body = "with engine.helper(int) as held:\n    held.start(fail_apart, 'done'); held.finish()\n"
    code, err, files = run(tmp_path, body)
    assert (code, err) == (0, "")
    assert files == {"done": ["False", "True"]}


def test_an_error_of_the_work_is_raised_here(tmp_path):
    body = "with engine.helper(int) as held:\n    held.start(int, 'x'); held.finish()\n"
    code, err, _ = run(tmp_path, body)
    assert code == 1
    assert err.count("ValueError: invalid literal") == 1


def test_a_copy_that_cannot_prepare_is_done_without(tmp_path):
    body = (
        "def broken(): raise ImportError('no')\n"
        "with engine.helper(broken) as held:\n"
        "    time.sleep(0.2)\n"
        "    held.start(note, 'done'); held.finish()\n"
    )
    code, err, files = run(tmp_path, body)
    assert (code, err) == (0, "")
    assert files == {"done": ["True"]}


def test_a_helper_without_work_ends_quietly(tmp_path):
    code, err, files = run(tmp_path, "with engine.helper(int): pass\n")
    assert (code, err, files) == (0, "", {})


def test_an_error_in_the_body_ends_the_copy(tmp_path):
    body = "with engine.helper(lambda: note(str(os.getpid()))): time.sleep(0.2); int('x')\n"
    code, err, files = run(tmp_path, body)
    assert code == 1
    assert err.count("Traceback") == 1
    (copy,) = files
    with pytest.raises(ProcessLookupError):
        os.kill(int(copy), 0)


def is_alive(process):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_the_copy_ends_when_its_parent_is_killed(tmp_path):
    body = (
        "with engine.helper(lambda: note(str(os.getpid()))):\n"
        "    time.sleep(0.3); os.kill(os.getpid(), 9)\n"
    )
    code, _, files = run(tmp_path, body)
    assert code == -9
    (copy,) = files
    for _ in range(100):
        if not is_alive(copy):
            return
        time.sleep(0.05)
    pytest.fail("the copy outlived its parent")


def test_there_is_none_where_it_would_not_be_safe_or_of_use(monkeypatch):
    with engine.helper(int, wanted=False) as held:
        assert held is None
    monkeypatch.setattr(engine.os, "cpu_count", lambda: 1)
    with engine.helper(int) as held:
        assert held is None
    monkeypatch.setattr(engine.os, "cpu_count", lambda: 2)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with engine.helper(int) as held:
            assert held is None
    finally:
        stop.set()
        thread.join()
