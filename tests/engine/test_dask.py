"""A Dask cluster on this machine: the same results, also when its workers are killed."""

import os
import signal
import time
from functools import partial

import pytest

from trainlens.engine import Lost
from trainlens.errors import UsageError

pytest.importorskip("distributed", reason="needs the extra dask")
# Dask closes its sockets and processes when it gets round to it.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def square(n):
    return n * n


def slow(n):
    time.sleep(0.05)
    return n


def fatal(n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def pids(engine):
    return [engine._cluster.workers[w].pid for w in engine._cluster.workers]


@pytest.fixture
def dask():
    from trainlens.engine.dask import Dask

    engine = Dask(workers=2)
    yield engine
    engine.close()


def test_a_killed_worker_loses_nothing(dask):
    assert list(dask.run(square, range(25))) == [n * n for n in range(25)]
    results = dask.run(slow, range(40))
    assert next(results) == 0
    os.kill(pids(dask)[0], signal.SIGKILL)
    assert list(results) == list(range(1, 40))
    assert dask.notes == []


def test_an_item_that_kills_every_worker_is_the_only_one_lost(dask):
    found = list(dask.run(fatal, range(12)))
    assert [i for i, r in enumerate(found) if isinstance(r, Lost)] == [3]
    assert [r for r in found if not isinstance(r, Lost)] == [n for n in range(12) if n != 3]


def test_a_lost_scheduler_is_told_and_the_rest_done_here(dask, monkeypatch):
    results = dask.run(square, range(10))
    assert next(results) == 0
    # The connection is refused from now on, without the ten seconds of patience.
    dask._client.close()
    assert list(results) == [n * n for n in range(1, 10)]
    assert dask.notes == ["the Dask scheduler was lost; the rest was done on this machine"]


def test_a_scheduler_that_does_not_answer_is_one_clear_line():
    from trainlens.engine.dask import Dask

    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers"):
        Dask("tcp://127.0.0.1:9", patience=0.5)
    with pytest.raises(UsageError, match="--scheduler nonsense://x"):
        Dask("nonsense://x", patience=0.5)


def test_a_cluster_without_workers_is_one_clear_line(dask):
    from trainlens.engine.dask import Dask

    dask._cluster.scale(0)
    dask._client.retire_workers()
    with pytest.raises(UsageError, match="the scheduler has no worker"):
        Dask(dask._cluster.scheduler_address, patience=1.0)


def test_a_partial_travels(dask):
    assert list(dask.run(partial(pow, 2), range(5))) == [1, 2, 4, 8, 16]
