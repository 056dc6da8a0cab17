"""A log that was ended says so in its last line, and one whose process was killed does not."""

import errno
import gc
import json
import os
import signal
import subprocess
import sys

import pytest

import trainlens
from tests.torch.record.logs import ends, steps
from trainlens_torch.record import append
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.record.past import entries

BOTH = pytest.mark.parametrize("sync", [True, False])
_WAIT = 300
_BEGIN = """
import os, sys
from trainlens_torch.record.logger import RunLogger
log = RunLogger(sys.argv[1], sync=sys.argv[2] == "True", end=True)
for step in range(40):
    log.log(step, {"a": 1.0})
assert log.flush(60)
"""


def logged(folder, count=3, **options):
    log = RunLogger(folder, **{"end": True, **options})
    for step in range(count):
        log.log(step, {"a": 1.0})
    return log


def left(folder, sync, ending):
    """The log of a process of its own that ends in this way."""
    code = [sys.executable, "-c", _BEGIN + ending, str(folder), str(sync)]
    subprocess.run(code, timeout=_WAIT, stderr=subprocess.DEVNULL)
    return folder / "log.jsonl"


@BOTH
def test_closing_says_so_once(tmp_path, sync):
    ticks = iter(range(100, 200))
    log = logged(tmp_path, sync=sync, clock=lambda: next(ticks))
    log.close()
    log.close()
    found, last = ends(tmp_path / "log.jsonl")
    (end,) = found
    assert last
    assert end == {"schema": "trainlens.end/1", "ended": next(ticks) - 1}
    run = trainlens.load_one(tmp_path)
    assert run.ended.how == "closed"
    assert run.points == 3


def test_without_the_wish_there_is_no_such_line(tmp_path):
    logged(tmp_path, sync=True, end=False).close()
    assert ends(tmp_path / "log.jsonl") == ([], False)
    assert trainlens.load_one(tmp_path).ended is None


class Failed(Exception):
    pass


@BOTH
@pytest.mark.parametrize(
    ("error", "how"),
    [(None, "closed"), (SystemExit, "closed"), (Failed, "exception"), (KeyboardInterrupt,) * 2],
)
def test_the_end_of_a_block(tmp_path, sync, error, how):
    how = "exception" if how is error else how
    try:
        with logged(tmp_path, sync=sync):
            if error is not None:
                raise error
    except (Failed, SystemExit, KeyboardInterrupt):
        pass
    assert trainlens.load_one(tmp_path).ended.how == how


@BOTH
@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise RuntimeError", "del log"])
def test_a_process_that_ends_without_closing_it(tmp_path, sync, ending):
    (end,), last = ends(left(tmp_path, sync, ending))
    assert last
    assert end["how"] == "exit"


@BOTH
def test_a_logger_that_is_let_go(tmp_path, sync):
    log = logged(tmp_path, sync=sync)
    assert log.flush(_WAIT)
    thread = log._writer
    del log
    gc.collect()
    thread.close(_WAIT)
    assert [end["how"] for end in ends(tmp_path / "log.jsonl")[0]] == ["exit"]


@BOTH
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_process_that_is_killed_says_nothing(tmp_path, sync):
    path = left(tmp_path, sync, "import signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert steps(path) == list(range(40))
    assert ends(path) == ([], False)
    assert trainlens.load_one(path).ended is None


@BOTH
def test_a_log_that_is_continued(tmp_path, sync):
    logged(tmp_path, sync=sync).close()
    again = RunLogger(tmp_path, sync=sync, end=True)
    again.log(3, {"a": 1.0})
    assert again.flush(_WAIT)
    assert trainlens.load_one(tmp_path).ended is None
    again.close()
    run = trainlens.load_one(tmp_path)
    assert run.ended.how == "closed"
    assert run["a"].step.tolist() == [0, 1, 2, 3]
    assert not run.notices
    assert len(ends(tmp_path / "log.jsonl")[0]) == 2
    assert [entry.step for entry in entries(tmp_path)] == [0, 1, 2, 3]


@BOTH
def test_a_logger_that_recorded_nothing_says_nothing(tmp_path, sync):
    RunLogger(tmp_path / "new", sync=sync, end=True).close()
    assert ends(tmp_path / "new/log.jsonl") == ([], False)
    log = left(tmp_path / "killed", sync, "os._exit(0)")
    before = log.read_bytes()
    RunLogger(tmp_path / "killed", sync=sync, end=True).close()
    assert log.read_bytes() == before


@BOTH
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_does_not_say_it_for_its_parent(tmp_path, sync):
    ending = """
child = os.fork()
if child == 0:
    log.close()
    sys.exit(0)
os.waitpid(child, 0)
import signal; os.kill(os.getpid(), signal.SIGKILL)
"""
    path = left(tmp_path, sync, ending)
    assert ends(path) == ([], False)
    assert list(tmp_path.iterdir()) == [path]


@BOTH
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_that_records_ends_its_own_log(tmp_path, sync):
    ending = """
child = os.fork()
log.log(50, {"a": 1.0})
if child == 0:
    log.close()
    os._exit(0)
os.waitpid(child, 0)
assert log.flush(60)
os._exit(0)
"""
    path = left(tmp_path, sync, ending)
    (own,) = tmp_path.glob("log.pid*.jsonl")
    assert ends(path) == ([], False)
    assert (len(ends(own)[0]), ends(own)[1]) == (1, True)


def test_each_rank_says_it_for_itself(tmp_path):
    other = logged(tmp_path, rank=1, sync=True)
    logged(tmp_path, count=5, rank=0, sync=True).close()
    assert ends(tmp_path / "log.rank1.jsonl") == ([], False)
    other.close()
    for name in ("log.jsonl", "log.rank1.jsonl"):
        assert len(ends(tmp_path / name)[0]) == 1
    told = json.loads((tmp_path / "log.ranks.json").read_text())
    assert [one["last_step"] for one in told["ranks"]] == [4, 2]


@BOTH
def test_a_disk_that_is_full_at_the_end(tmp_path, sync, monkeypatch):
    log = logged(tmp_path, sync=sync)
    assert log.flush(_WAIT)

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(append.os, "write", full)
    log.close()
    monkeypatch.undo()
    assert ends(tmp_path / "log.jsonl") == ([], False)
    assert steps(tmp_path / "log.jsonl") == [0, 1, 2]
    assert (log.errors, log.dropped) == (1, 0)


def test_only_the_native_log_says_it(tmp_path):
    logged(tmp_path, sinks=("text", "csv")).close()
    assert all(run.ended is None for run in trainlens.load(tmp_path))
    for name in ("log.txt", "metrics.csv"):
        assert "end/1" not in (tmp_path / name).read_text()
