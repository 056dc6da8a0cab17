"""A bar on terminals only, and only when somebody would begin to wonder."""

import io
import itertools

import pytest

from trainlens.render.progress import ticking


class Terminal(io.StringIO):
    def isatty(self):
        return True


def clock(every):
    held = itertools.count()
    return lambda: every * next(held)


def test_nothing_is_written_where_nobody_looks():
    stream = io.StringIO()
    assert list(ticking(iter(range(5)), 5, stream=stream, clock=clock(10))) == [0, 1, 2, 3, 4]
    assert stream.getvalue() == ""


def test_nothing_is_written_about_what_is_soon_done():
    stream = Terminal()
    assert len(list(ticking(iter(range(5)), 5, stream=stream, clock=clock(0.01)))) == 5
    assert stream.getvalue() == ""


def test_a_long_job_shows_count_and_rate():
    stream = Terminal()
    assert len(list(ticking(iter(range(20)), 20, stream=stream, clock=clock(0.5)))) == 20
    told = stream.getvalue()
    assert "20/20" in told
    assert "2 runs/s" in told
    assert told.endswith("\n") or "\x1b[?25h" in told


def test_the_bar_ends_with_the_job_that_fails():
    def results():
        yield from range(10)
        raise ValueError("broken")

    stream = Terminal()
    with pytest.raises(ValueError, match="broken"):
        list(ticking(results(), 20, stream=stream, clock=clock(0.5)))
    assert "10/20" in stream.getvalue()
