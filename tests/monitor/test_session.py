"""A watch: when rounds are made, what ends it, and who hears of what."""

import os
import signal
import threading

import pytest

from tests.monitor.growing import Watch, add, falling, record
from trainlens.monitor.events import Events
from trainlens.monitor.loop import Clocks
from trainlens.monitor.session import Rhythm, Terminated, terminable, watch


class View:
    """A user who waits, acts and says things."""

    def __init__(self, time, script):
        self.time, self.script = time, list(script)
        self.shown, self.waits = [], []

    def show(self, update):
        self.shown.append(update)

    def wait(self, seconds):
        self.waits.append(seconds)
        self.time.now += seconds
        act = self.script.pop(0) if self.script else "quit"
        return act() or "" if callable(act) else act


class Time:
    now = 0.0


class Said:
    """Reactions or a page that note what they are given."""

    stopping = ""

    def __init__(self, say=()):
        self.updates, self.forced, self.say = [], [], tuple(say)

    def react(self, update):
        self.updates.append(update)
        return self.say

    def update(self, digests, update, *, force=False):
        self.updates.append(update)
        self.forced.append(force)
        return self.say


def watched(log, script, rhythm=None, **more):
    time = Time()
    view = View(time, script)
    clocks = Clocks(now=lambda: 1.7e9 + time.now, tick=lambda: time.now)
    monitor = Watch(log).monitor
    why = watch(monitor, view, rhythm or Rhythm(), clocks=clocks, **more)
    return why, view


@pytest.fixture
def log(tmp_path):
    add(tmp_path / "run.jsonl", *(record(s, falling(s)) for s in range(50)))
    return tmp_path / "run.jsonl"


def test_rounds_keep_their_rhythm(log):
    why, view = watched(log, ["", "", ""])
    assert why == ""
    assert view.waits == [30.0] * 4
    assert [u.round for u in view.shown] == [1, 2, 3, 4]


def test_the_user_may_want_a_round_now(log):
    _, view = watched(log, ["now", "now"])
    assert len(view.shown) == 3


def test_once_is_once(log):
    _, view = watched(log, [], Rhythm(once=True))
    assert len(view.shown) == 1
    assert view.waits == []
    assert view.shown[0].runs[0].verdict == "healthy"


def test_it_may_end_with_the_runs(log):
    _, view = watched(log, [lambda: os.remove(log)], Rhythm(until_end=True))
    assert len(view.shown) == 2


def test_a_finding_may_end_it(log):
    class Stop(Said):
        @property
        def stopping(self):
            return "an error" if len(self.updates) == 2 else ""

    why, view = watched(log, [""] * 9, reactions=Stop())
    assert why == "an error"
    assert len(view.shown) == 2


def test_what_goes_wrong_elsewhere_is_shown(log):
    page, reactions = Said(["no page"]), Said(["no hook"])
    _, view = watched(log, [], page=page, reactions=reactions)
    assert view.shown[0].notices == ("no hook", "no page")


def test_a_page_is_written_at_once_where_there_is_news(log):
    page = Said()
    bad = [record(s, float("nan")) for s in range(50, 55)]
    watched(log, ["", lambda: add(log, *bad), ""], page=page)
    assert page.forced == [False, False, True, False]


class Words(Events):
    """Words of the system, said by hand."""

    def __init__(self):
        super().__init__([], growth=True)


def test_growth_wakes_it_after_a_tenth_of_the_interval(log):
    events = Words()
    script = [lambda: events.heard("modified")] + [""] * 11 + ["quit"]
    _, view = watched(log, script, events=events)
    assert len(view.shown) == 2
    assert sum(view.waits[:12]) == pytest.approx(3.0)


def test_a_new_file_wakes_it_after_a_second(log):
    events = Words()
    script = [lambda: events.heard("created")] + [""] * 3 + ["quit"]
    _, view = watched(log, script, events=events)
    assert len(view.shown) == 2
    assert sum(view.waits[:4]) == pytest.approx(1.0)


def test_words_are_forgotten_when_they_are_heeded():
    events = Words()
    events.heard("created")
    assert events.woken
    assert events.take() is True
    assert not events.woken
    assert events.take() is False


def test_the_system_tells_of_files(tmp_path):
    events = Events([str(tmp_path)], growth=True)
    heard = threading.Event()
    say = events.heard
    events.heard = lambda kind: (say(kind), heard.set())
    events.start()
    assert events.problem == ""
    try:
        (tmp_path / "a").mkdir()
        assert heard.wait(10)
        assert events.stirred
    finally:
        events.close()


def test_where_files_grow_a_lot_growth_is_certain_until_a_round_finds_none(tmp_path):
    events = Events([str(tmp_path)], growth=True)
    heard = threading.Event()
    say = events.heard
    events.heard = lambda kind: (say(kind), heard.set())
    events.start()
    try:
        for _ in range(500):
            say("modified")
        for _ in range(2):
            events.take(grew=True)
            assert events.woken  # although there was no word since
        events.take(grew=False)
        assert not events.woken
        (tmp_path / "log.jsonl").write_text("{}", encoding="utf-8")
        assert heard.wait(10)
    finally:
        events.close()


def test_the_end_of_a_fast_log_is_seen_before_the_interval_is_over(log):
    events = Words()

    def hurry():
        for _ in range(500):
            events.heard("modified")

    script = [hurry, *[""] * 11, lambda: add(log, record(50, 1.0)), *[""] * 11, "quit"]
    _, view = watched(log, script, events=events)
    assert [update.runs[0].points for update in view.shown] == [50, 50, 51]
    assert sum(view.waits[:-1]) == pytest.approx(6.0)


def test_without_watchdog_nothing_is_heard_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "watchdog.observers", None)
    events = Events([str(tmp_path)], growth=True)
    events.start()
    assert "watchdog is not installed" in events.problem
    events.close()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals as Unix has them")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_heard(number):
    before = signal.getsignal(number)
    with pytest.raises(Terminated), terminable():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
