"""The screen as a program drives it: with a clock, keys and a terminal made for it."""

import io
from datetime import timezone

import click
import pytest
from rich.console import Console
from screen_updates import AT, change, failing, standing, update

from trainlens.monitor.screen.keys import NoKeys
from trainlens.monitor.screen.screen import Screen

ON, OFF = ("\x1b[?1049h", "\x1b[?25l", "\x1b[?7l"), ("\x1b[?1049l", "\x1b[?25h", "\x1b[?7h")


class Made:
    """A terminal, a clock and keys; keys are pressed at set times."""

    def __init__(self, presses=(), size=(80, 24)):
        self.now, self.presses, self.out = 100.0, list(presses), io.StringIO()
        self.entered = self.left = 0
        self.console = Console(
            file=self.out, force_terminal=True, width=size[0], height=size[1],
            color_system="standard", legacy_windows=False,
        )  # fmt: skip

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *error):
        self.left += 1

    def read(self, seconds):
        if self.presses and self.presses[0][0] <= self.now + seconds:
            self.now = max(self.now, self.presses[0][0])
            name = self.presses.pop(0)[1]
            if callable(name):
                name()
                return []
            return [name]
        # As real clocks are: a little late.
        self.now += max(seconds, 0.001)
        return []

    def screen(self, **more):
        return Screen(
            console=self.console, keys=self, clock=lambda: self.now, zone=timezone.utc, **more
        )

    def frames(self):
        """What was drawn, frame by frame, without colours."""
        parts = [part.split("\x1b[?")[0] for part in self.out.getvalue().split("\x1b[H")]
        return [click.unstyle(part) for part in parts if part.strip()]


def test_it_leaves_the_terminal_as_it_was():
    made = Made()
    with made.screen() as screen:
        screen.show(update(standing()))
        assert all(code in made.out.getvalue() for code in ON)
        assert not any(code in made.out.getvalue() for code in OFF)
    told = made.out.getvalue()
    assert all(told.count(code) == 1 for code in (*ON, *OFF))
    assert (made.entered, made.left) == (1, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_it_leaves_the_terminal_as_it_was_when_something_breaks(error):
    def breaks():
        raise error

    made = Made([(101.0, breaks)])
    with pytest.raises(error), made.screen() as screen:
        screen.wait(10)
    assert all(made.out.getvalue().count(code) == 1 for code in (*ON, *OFF))
    assert made.left == 1


def test_it_leaves_the_terminal_as_it_was_when_drawing_breaks(monkeypatch):
    def broken(*told):
        raise ValueError("no frame")

    monkeypatch.setattr("trainlens.monitor.screen.screen.frame", broken)
    made = Made()
    with pytest.raises(ValueError, match="no frame"), made.screen() as screen:
        screen.show(update(standing()))
    assert all(made.out.getvalue().count(code) == 1 for code in OFF)


def test_waiting_ends_with_the_time_or_with_a_key():
    made = Made([(103.0, "q"), (104.0, "r")])
    with made.screen() as screen:
        assert screen.wait(2.0) == ""
        assert made.now == pytest.approx(102.0, abs=0.01)
        assert screen.wait(60.0) == "quit"
        assert made.now == 103.0
        assert screen.wait(60.0) == "now"


def test_the_clock_alone_is_drawn_once_a_second_and_keys_at_most_four_times():
    made = Made()
    with made.screen() as screen:
        screen.show(update(standing()))
        screen.wait(10.0)
    assert 10 <= len(made.frames()) <= 12
    made = Made([(100 + k / 50, "right") for k in range(100)])
    with made.screen() as screen:
        screen.show(update(standing()))
        screen.wait(2.0)
    assert 6 <= len(made.frames()) <= 10


def test_keys_steer_what_is_seen():
    made = Made([(101, "j"), (102, "f"), (103, "f"), (104, "l"), (105, "?")])
    with made.screen() as screen:
        screen.show(update(standing("aa"), failing("bb")))
        screen.wait(6.0)
    frames = made.frames()
    assert "▸●" in frames[0]
    assert any("May be:" in frame and "bb" in frame for frame in frames)
    assert any("log axis" in frame and "May be:" not in frame for frame in frames)
    assert "Signs" in frames[-1]


def test_a_paused_view_stands_still_while_the_news_go_on():
    made = Made([(101, "p")])
    with made.screen() as screen:
        screen.show(update(standing(step=11), round=1))
        screen.wait(3.0)
        screen.show(update(standing(step=22), round=2))
        screen.wait(3.0)
        paused = made.frames()[-1]
        assert "PAUSED at 14:13:21 · 1 newer round" in paused
        assert "step 11 " in paused
        made.presses = [(made.now + 1, " ")]
        screen.wait(3.0)
    shown = made.frames()[-1]
    assert "PAUSED" not in shown
    assert "step 22 " in shown


def test_what_was_noticed_while_paused_is_known_afterwards():
    made = Made([(101, "p")])
    with made.screen() as screen:
        screen.show(update(standing("exp4"), round=1))
        screen.wait(3.0)
        screen.show(update(failing(), round=2, changes=(change(at=AT + 3),)))
        screen.wait(60.0)
        made.presses = [(made.now + 1, "p")]
        screen.wait(3.0)
    assert "1 min ago" in made.frames()[-1]


def test_pages_scroll_no_further_than_they_go():
    made = Made([(101, "f"), (102, "G"), (103, "k")], size=(60, 12))
    with made.screen() as screen:
        screen.show(update(failing()))
        screen.wait(4.5)
    bodies = []
    for frame in made.frames():
        body = [line.strip() for line in frame.split("\n")[1:-1]]
        if not bodies or body != bodies[-1]:
            bodies.append(body)
    *_, top, end, before = bodies
    assert "failing" in top[2]
    assert end[-1].endswith("steps")
    # Past the end there is nothing to come back from: one line up is one line up.
    assert before[1:] == end[:-1]


def test_a_new_size_is_drawn_at_once():
    made = Made()

    def narrower():
        made.console.size = (50, 12)

    made.presses = [(101.1, narrower)]
    with made.screen() as screen:
        screen.show(update(standing()))
        screen.wait(1.5)
    frames = made.frames()
    assert frames[0].count("\n") == 23
    assert frames[-1].count("\n") == 11


def test_ctrl_z_leaves_the_screen_first_and_comes_back():
    made = Made([(101, "suspend")])
    seen = []
    with made.screen(suspend=lambda: seen.append(made.out.getvalue())) as screen:
        screen.show(update(standing()))
        screen.wait(3.0)
        assert all(seen[0].count(code) == 1 for code in OFF)
        assert all(made.out.getvalue().count(code) == 2 for code in ON)
        assert len(made.frames()) > seen[0].count("\x1b[H")
    assert (made.entered, made.left) == (2, 2)


def test_before_the_first_update_there_is_a_screen_already():
    made = Made()
    with made.screen() as screen:
        assert screen.wait(0.5) == ""
    assert "Waiting for a run." in made.frames()[0]


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    made = Made()
    with made.screen() as screen:
        screen.show(update(failing()))
    assert "\x1b[31m" not in made.out.getvalue()
    assert "✗ error" in made.out.getvalue()


def test_a_terminal_without_braille_gets_signs_that_it_has():
    made = Made()
    with made.screen(spell=lambda text: "".join(c if c.isascii() else "?" for c in text)) as screen:
        screen.show(update(failing()))
    assert made.frames()[0].isascii()


def test_where_there_are_no_keys_it_just_waits():
    made = Made()

    def sleep(seconds):
        made.now += seconds

    screen = Screen(console=made.console, keys=NoKeys(sleep), clock=lambda: made.now)
    with screen:
        screen.show(update(standing()))
        assert screen.wait(5.0) == ""
    assert made.now >= 105.0
