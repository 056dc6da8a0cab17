"""The progress line: one line, drawn in place, nothing where there is no terminal."""

import io

import pytest

pytest.importorskip("torch")

from tests.torch.record.entries import target
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.progress import ProgressSink, make


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    return Clock()


def entry(step, split="train"):
    return Entry(step, 0.0, {"total": 1.5}, {"lr": 1e-4}, split)


def test_nothing_is_drawn_where_there_is_no_terminal(tmp_path, clock, monkeypatch):
    for stream, rank, term in (
        (io.StringIO(), 0, "xterm"),
        (Terminal(), 1, "xterm"),
        (Terminal(), 0, "dumb"),
    ):
        monkeypatch.setenv("TERM", term)
        sink = ProgressSink(target(tmp_path, rank=rank), stream, clock)
        sink.write([entry(1)])
        sink.flush()
        sink.close()
        assert stream.getvalue() == ""
    closed = Terminal()
    closed.close()
    make(target(tmp_path), closed).write([entry(1)])


def test_a_drawing_is_one_line_with_share_rate_and_time_left(tmp_path, clock):
    stream = Terminal()
    sink = ProgressSink(target(tmp_path), stream, clock)
    sink.write([entry(100)])
    clock.now = 10.0
    sink.write([entry(150), entry(200), entry(200, "val")])
    first, second = stream.getvalue().split("\r\x1b[K")[1:]
    assert first == " 10% 100/1000 lr=1.0000e-04 total=1.500"
    assert second == " 20% [10/s, 1:20 left] 200/1000 lr=1.0000e-04 total=1.500"[:59]
    sink.close()
    sink.close()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


def test_ten_drawings_a_second_and_the_last_one_stays(tmp_path, clock):
    stream = Terminal()
    sink = ProgressSink(target(tmp_path), stream, clock)
    for i in range(1, 1001):
        clock.now = i / 1000
        sink.write([entry(i)])
    assert stream.getvalue().count("\r") in (10, 11)
    sink.close()
    assert "1000/1000" in stream.getvalue().rpartition("\r")[2]


def test_no_line_is_longer_than_the_terminal_or_has_controls_of_names(tmp_path, clock):
    stream = Terminal()
    sink = ProgressSink(target(tmp_path), stream, clock)
    sink.write([Entry(1, 0.0, {"\x1b[2J\n" * 9: 1.0, "b" * 300: 2.0}, {})])
    drawn = stream.getvalue().removeprefix("\r\x1b[K")
    assert len(drawn) == 59
    assert drawn.isprintable()


def test_a_terminal_that_is_gone_raises_oserror_once(tmp_path, clock):
    stream = Terminal()
    sink = ProgressSink(target(tmp_path), stream, clock)
    sink.write([entry(1)])
    stream.close()
    clock.now = 1.0
    with pytest.raises(OSError, match="terminal is gone"):
        sink.write([entry(2)])
    sink.write([entry(3)])
    sink.close()
