"""Which run is looked at when, and what that may cost."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.monitor.growing import add, falling, record
from trainlens.errors import NotFound
from trainlens.judged import Judged
from trainlens.monitor.look import Looked, Wanted, look
from trainlens.monitor.looks import Looks
from trainlens.readers import discover
from trainlens.readers.base import Source
from trainlens.work import Judging


@dataclass
class Run:
    source: Source
    name: str
    points: int = 0


def looked(cost=0.0):
    told = Judged("a", "a", "jsonl", None, 1, "healthy", "", "", "", "default", (), (), ())
    return Looked(told, 0, None, False, (), None, None, cost)


class Desk:
    """Runs, and looks at them that cost what is said."""

    def __init__(self, names, cost=0.0):
        self.runs = [(n, Run(Source("jsonl", Path(n)), n)) for n in names]
        self.cost, self.seen, self.tick = cost, [], 0.0
        self.looks = Looks(self._take)

    def _take(self, wanted, source, name):
        self.seen.append(name)
        return looked(self.cost)

    def round(self, grown=(), urgent=(), age=0.0, **how):
        self.tick += 1.0
        for name, run in self.runs:
            run.points += 10 * (name in grown)
            self.looks.note(name, run.points, urgent=name in urgent, age=age, tick=self.tick)
        self.seen.clear()
        wanted = Wanted(Judging(), 0.0)
        list(self.looks.taken(self.runs, lambda key: wanted, self.tick, **how))
        return list(self.seen)


def test_a_run_is_looked_at_when_it_grew():
    desk = Desk("ab")
    assert desk.round(grown="ab") == ["a", "b"]
    assert desk.round(grown="b") == ["b"]
    assert desk.round() == []


def test_the_urgent_one_comes_first():
    desk = Desk("abc")
    desk.round(grown="abc")
    assert desk.round(grown="abc", urgent="c") == ["c", "a", "b"]


def test_who_waited_longest_comes_first():
    desk = Desk("abc", cost=0.5)
    for _ in range(4):
        desk.round(grown="abc")
    order = [name for _ in range(600) for name in desk.round(grown="abc")]
    assert len(order) >= 9
    for i in range(len(order) - 2):
        assert set(order[i : i + 3]) == set("abc")


@pytest.mark.parametrize("cost", [0.01, 0.1, 2.0])
def test_looks_that_can_wait_take_three_hundredths_of_a_core(cost):
    desk = Desk("abcdefgh", cost=cost)
    for _ in range(50):
        desk.round(grown="abcdefgh")
    spent = sum(cost * len(desk.round(grown="abcdefgh")) for _ in range(1000))
    assert spent <= 0.03 * 1000 + 1.0 + cost


def test_urgent_ones_are_bounded_too():
    desk = Desk("abcd", cost=1.0)
    for _ in range(50):
        desk.round(grown="abcd")
    spent = sum(len(desk.round(grown="abcd", urgent="abcd")) for _ in range(500))
    assert spent <= 0.2 * 500 + 2.0


def test_an_urgent_look_need_not_wait_for_others():
    desk = Desk("ab", cost=0.9)
    for _ in range(20):
        desk.round(grown="ab")
    assert desk.round(grown="b", urgent="b") == ["b"]


def test_new_points_do_not_wait_for_many_looks():
    desk = Desk("abcdefgh", cost=0.1)
    assert len(desk.round(grown="abcdefgh")) == 3
    assert len(desk.round(grown="abcdefgh", urgent="abcdefgh")) == 8


def test_everything_is_looked_at_where_that_is_wanted():
    desk = Desk("abcdefgh", cost=10.0)
    assert desk.round(grown="abcdefgh", everything=True) == list("abcdefgh")


def test_silence_is_looked_at_now_and_then():
    desk = Desk("a")
    desk.round(grown="a")
    ages = [60 * minute for minute in range(1, 601)]
    at = [age / 60 for age in ages if desk.round(age=age)]
    assert at == [1, 5, 30, 60, 120, 240, 480]


def test_a_run_that_begins_anew_is_looked_at():
    desk = Desk("a")
    desk.round(grown="a")
    desk.looks.forget("a")
    assert desk.round() == ["a"]


def test_what_cannot_be_read_is_an_answer():
    source = Source("jsonl", Path("/nowhere/run.jsonl"))
    assert isinstance(look(Wanted(Judging(), 0.0), source, "a"), NotFound)


def test_a_long_log_is_looked_at_in_a_process_of_its_own(tmp_path):
    add(tmp_path / "run.jsonl", *(record(s, falling(s)) for s in range(300)))
    source = discover(tmp_path).sources[0]
    run = Run(source, "a", 10**6)
    looks, wanted = Looks(lambda *_: pytest.fail("looked at here")), Wanted(Judging(), 0.0)
    looks.note("a", run.points, urgent=False, age=0.0, tick=1.0)
    found = list(looks.taken([("a", run)], lambda key: wanted, 1.0, everything=True))
    here = look(wanted, source, "a")
    assert [key for key, _ in found] == ["a"]
    assert found[0][1].told.results == here.told.results
    assert not looks.away


def test_a_look_that_is_under_way_can_be_ended(tmp_path):
    add(tmp_path / "run.jsonl", *(record(s, falling(s)) for s in range(300)))
    run = Run(discover(tmp_path).sources[0], "a", 10**6)
    looks = Looks()
    looks.note("a", run.points, urgent=False, age=0.0, tick=1.0)
    assert list(looks.taken([("a", run)], lambda key: Wanted(Judging(), 0.0), 1.0)) == []
    assert looks.away
    looks.close()
    assert not looks.away
