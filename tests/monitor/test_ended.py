"""A run whose log says that it was ended: shown so at once, never called silent, not waited for."""

import os

import pytest

from tests.monitor.growing import Watch, add, falling, record
from trainlens.monitor.following import Followed
from trainlens.monitor.loop import Clocks
from trainlens.monitor.model import ENDED, LIVE, QUIET, Standing, Update
from trainlens.monitor.session import Rhythm, watch
from trainlens.readers.base import Source
from trainlens.schema import end_line


def end(step, how="closed"):
    return end_line(1.7e9 + step, how).decode()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize("how", ["closed", "exit", "exception"])
def test_a_run_has_ended_in_the_round_that_reads_it(log, how):
    watched = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(50)))
    assert watched.round().runs[0].state == LIVE
    add(log, end(49, how))
    (run,) = watched.round().runs
    assert (run.state, run.points, run.planned) == (ENDED, 50, None)


def test_a_run_that_goes_on_behind_it_is_alive(log):
    watched = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(50)), end(49))
    assert watched.round().runs[0].state == ENDED
    add(log, record(50, falling(50)))
    (run,) = watched.round().runs
    assert (run.state, run.points) == (LIVE, 51)


def test_all_of_it_is_judged_with_its_end(log):
    watched = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(50)))
    watched.round()
    add(log, *(record(s, falling(s)) for s in range(50, 60)), end(59))
    (run,) = watched.round().runs
    assert (run.state, run.points, run.looked) == (ENDED, 60, 60)


@pytest.mark.parametrize(("last", "state", "told"), [(end(299), ENDED, 0), ("", QUIET, 1)])
def test_silence_behind_an_end_is_none(log, last, state, told):
    watched = Watch(log, seconds=10.0)
    for step in range(30):
        add(log, *(record(10 * step + i, falling(10 * step + i)) for i in range(10)))
        os.utime(log, (1.7e9 + watched.time,) * 2)
        watched.round()
    add(log, last)
    watched.seconds = 600.0
    for _ in range(6):
        update = watched.round()
    assert update.runs[0].state == state
    assert [rule for _, rule, _ in watched.told].count("stalled-log") == told


class View:
    """Nobody; while the watch waits, the training goes on as the script says."""

    def __init__(self, script):
        self.time, self.script, self.shown = 0.0, list(script), []

    def show(self, update):
        self.shown.append(update)

    def wait(self, seconds):
        self.time += seconds
        if not self.script:
            return "quit"
        self.script.pop(0)()
        return ""


def until_end(path, *script):
    view = View(script)
    clocks = Clocks(now=lambda: 1.7e9 + view.time, tick=lambda: view.time)
    watch(Watch(path).monitor, view, Rhythm(until_end=True), clocks=clocks)
    return view


def test_a_watch_until_the_end_ends_without_a_plan(log):
    add(log, *(record(s, falling(s)) for s in range(50)))
    bad = [record(s, float("nan")) for s in range(50, 60)]
    view = until_end(log, lambda: add(log, *bad, end(59)), lambda: pytest.fail("it waits"))
    assert view.script, "the user had to end it"
    (run,) = view.shown[-1].runs
    assert (run.state, run.looked) == (ENDED, 60)
    assert "non-finite" in [finding.rule for _, finding in run.findings]


def test_a_run_that_was_over_before_is_not_waited_for(log):
    add(log, *(record(s, falling(s)) for s in range(50)), end(49))
    view = until_end(log, lambda: pytest.fail("it waits"))
    assert view.shown[-1].runs[0].verdict == "healthy"


def test_one_that_goes_on_is_waited_for(tmp_path):
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for log in (a, b):
        add(log, *(record(s, falling(s)) for s in range(50)))
    waited = []
    view = until_end(
        tmp_path,
        lambda: add(a, end(49)),
        lambda: waited.append(1),
        lambda: add(b, end(49)),
        lambda: pytest.fail("it waits"),
    )
    assert waited
    assert len(view.script) == 1
    assert [run.state for run in view.shown[-1].runs] == [ENDED, ENDED]


class Late:
    """A monitor that cannot afford the look at the end until it is asked for everything."""

    pending, digests = False, ()

    def __init__(self):
        self.asked = []

    def round(self, *, stirred, everything):
        self.asked.append(everything)
        looked = 60 if everything else 50
        run = Standing("a", "a.jsonl", "jsonl", ENDED, points=60, looked=looked)
        return Update(len(self.asked), 0.0, "a.jsonl", (run,))


def test_what_is_not_judged_yet_is_judged_before_the_watch_is_over():
    monitor, view = Late(), View([lambda: pytest.fail("it waits")])
    watch(monitor, view, Rhythm(until_end=True), clocks=Clocks(tick=lambda: 0.0))
    assert monitor.asked == [False, True]
    assert view.shown[-1].runs[0].looked == 60


def test_only_an_end_that_comes_is_urgent(log):
    lines = [record(s, falling(s)) for s in range(50)]
    add(log, *lines, end(49))
    followed = Followed(Source("jsonl", log), "a")
    assert not followed.poll(0.0, 1.7e9).alarming  # it was over before
    add(log, record(50, falling(50)))
    assert not followed.poll(1.0, 1.7e9).alarming
    add(log, end(50))
    assert followed.poll(2.0, 1.7e9).alarming
    assert not followed.poll(3.0, 1.7e9).alarming
