"""A pool gives every result in order, whatever happens to its processes."""

import multiprocessing
import os
import signal
import time
from functools import partial

import pytest

from trainlens.engine import Here, Lost
from trainlens.engine.base import in_order
from trainlens.engine.pool import Pool


def square(n):
    return n * n


def fatal(which, n):
    """Ends its process at one item, always."""
    if n == which:
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def fatal_once(which, mark, n):
    """Ends its process at one item, the first time."""
    if n == which and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def slow_first(n):
    time.sleep(0.2 if n == 0 else 0)
    return n


def refuses(n):
    if n == 3:
        raise ValueError("three")
    return n


def process_id(_):
    return os.getpid()


@pytest.fixture
def pool():
    made = Pool(2)
    yield made
    made.close()


@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_results_come_in_the_order_of_the_items(pool, n):
    assert list(pool.run(square, range(n))) == [i * i for i in range(n)]
    assert list(Here().run(square, range(n))) == [i * i for i in range(n)]


def test_a_slow_item_does_not_overtake_or_get_lost(pool):
    assert list(pool.run(slow_first, range(40))) == list(range(40))


def test_work_is_done_in_other_processes(pool):
    assert os.getpid() not in set(pool.run(process_id, range(20)))


def test_an_item_that_kills_its_process_is_the_only_one_lost(pool):
    found = list(pool.run(partial(fatal, 7), range(30)))
    assert [i for i, r in enumerate(found) if isinstance(r, Lost)] == [7]
    assert "killed" in found[7].reason
    assert [r for i, r in enumerate(found) if i != 7] == [i * i for i in range(30) if i != 7]


def test_an_item_whose_process_was_killed_by_somebody_is_done_again(pool, tmp_path):
    found = list(pool.run(partial(fatal_once, 5, tmp_path / "mark"), range(30)))
    assert found == [i * i for i in range(30)]


def test_an_exception_of_the_work_is_raised(pool):
    with pytest.raises(ValueError, match="three"):
        list(pool.run(refuses, range(10)))


def test_closing_ends_processes_that_are_at_work():
    before = set(multiprocessing.active_children())
    pool = Pool(2)
    results = pool.run(time.sleep, [0, *[60] * 8])
    next(results)
    mine = set(multiprocessing.active_children()) - before
    assert len(mine) == 2
    pool.close()
    for process in mine:
        process.join(10)
        assert process.exitcode is not None


def test_items_are_taken_only_a_little_ahead():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    class Done:
        def result(self):
            return None

    results = in_order(lambda _: Done(), items(), 8)
    next(results)
    assert len(taken) == 8
    next(results)
    assert len(taken) == 9
    assert len(list(results)) == 98
