"""What a watch shows around its screen."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.monitor.growing import Watch, add, falling, record
from trainlens.cli._live import Opening, PlainView, closing_line


class Screen:
    """Notes what is done with it."""

    def __init__(self):
        self.said = []

    def __enter__(self):
        self.said.append("opened")
        return self

    def __exit__(self, *_):
        self.said.append("closed")

    def show(self, update):
        self.said.append("shown")

    def wait(self, seconds):
        return "quit"


@pytest.fixture
def update(tmp_path):
    add(tmp_path / "a\x1b[31m.jsonl", *(record(s, falling(s)) for s in range(50)))
    return Watch(tmp_path).round()


def test_a_screen_is_opened_when_there_is_something_to_show_and_closed(update):
    screen = Screen()
    with ExitStack() as on:
        view = Opening(screen, on)
        assert screen.said == []
        view.show(update)
        view.show(update)
        assert view.wait(1.0) == "quit"
    assert screen.said == ["opened", "shown", "shown", "closed"]


def test_what_is_left_of_a_watch_is_a_line_a_run(update):
    line = closing_line(update)
    assert "Healthy so far" in line
    assert "\x1b" not in line
    assert closing_line(None) == "No run was seen."


def test_the_line_that_is_left_fits_the_terminal_and_points_at_nothing(update, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    said = "Healthy so far. " + "It goes on and on. " * 5 + "3 notes below."
    line = closing_line(replace(update, runs=(replace(update.runs[0], sentence=said),)))
    assert max(map(len, line.splitlines())) <= 60
    assert line.endswith("3 notes.")


def test_lines_wait_with_the_sleep_they_were_given(update, capsys):
    slept = []
    view = PlainView(slept.append)
    view.show(update)
    assert view.wait(3.0) == ""
    assert slept == [3.0]
    assert "\x1b" not in capsys.readouterr().out
