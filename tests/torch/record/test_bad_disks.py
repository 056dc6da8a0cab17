"""Disks that are slow, full, broken or gone: the training goes on, and no loss is silent."""

import errno
import os
import shutil
import subprocess
import sys
import threading

import pytest

from tests.torch.record.logs import anomalies, parsed, steps
from trainlens_torch.record import append
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.faults import Faults
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.record.outlet import Outlet

_WAIT = 120  # seconds: nothing here takes them, but the machine may be loaded
BOTH = pytest.mark.parametrize("sync", [True, False])


class Disk:
    """`os.write` and `os.fdatasync` for the native sink, with faults."""

    def __init__(self, monkeypatch):
        self.error = None  # number of the error to raise
        self.room = None  # bytes that still go in
        self._real = os.write
        monkeypatch.setattr(append.os, "write", self.write)
        monkeypatch.setattr(append, "_sync", lambda descriptor: None)

    def write(self, descriptor, data):
        if self.error is None:
            return self._real(descriptor, data)
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        sent = self._real(descriptor, data[: self.room])
        self.room -= sent
        return sent


@BOTH
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("room", [0, 1, 150, 331])
def test_a_disk_that_refuses_for_a_while(tmp_path, monkeypatch, sync, number, room, caplog):
    disk = Disk(monkeypatch)
    with RunLogger(tmp_path, sync=sync) as log:
        log.log(0, {"a": 1.0})
        assert log.flush(_WAIT)
        disk.error, disk.room = number, room
        for step in range(1, 20):
            log.log(step, {"a": 1.0})
        assert not log.flush(_WAIT)
        disk.error = None
        log.log(20, {"a": 1.0})
    path = tmp_path / "log.jsonl"
    assert steps(path) == list(range(21))
    assert log.dropped == 0
    assert log.errors >= 1
    assert len(caplog.records) == 1
    assert os.strerror(number) in caplog.text
    (told,) = anomalies(path, "log_fault")
    assert told["value"] == 0
    assert os.strerror(number) in told["message"]


@BOTH
def test_a_disk_that_never_comes_back(tmp_path, monkeypatch, sync, caplog):
    disk = Disk(monkeypatch)
    log = RunLogger(tmp_path, sync=sync)
    log.log(0, {"a": 1.0})
    assert log.flush(_WAIT)
    disk.error = errno.ENOSPC
    for step in range(1, 11):
        log.log(step, {"a": 1.0})
    log.close(_WAIT)
    assert steps(tmp_path / "log.jsonl") == [0]
    assert log.dropped == 10
    assert "10 records could not be written" in caplog.text


@BOTH
def test_a_folder_that_is_deleted(tmp_path, sync, caplog):
    folder = tmp_path / "run"
    with RunLogger(folder, sync=sync) as log:
        log.log(0, {"a": 1.0})
        assert log.flush(_WAIT)
        shutil.rmtree(folder)
        log.log(1, {"a": 1.0})
        log.log(2, {"a": 1.0})
        assert log.flush(_WAIT)
    path = folder / "log.jsonl"
    assert steps(path) == [1, 2]
    assert "deleted" in caplog.text
    (told,) = anomalies(path, "log_fault")
    assert "1 records that were in it are gone" in told["message"]
    assert log.dropped == 0


@BOTH
def test_a_place_where_no_log_can_be(tmp_path, sync, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    log = RunLogger(blocked / "run", sync=sync)
    for step in range(5):
        log.log(step, {"a": 1.0})
    assert not log.flush(_WAIT)
    blocked.unlink()
    log.log(5, {"a": 1.0})
    assert log.flush(_WAIT)
    log.close(_WAIT)
    assert steps(blocked / "run" / "log.jsonl") == list(range(6))
    assert log.errors >= 1
    assert "file" in caplog.text


class Stuck:
    """A sink that waits in each write until it is let go."""

    def __init__(self):
        self.go, self.entered = threading.Event(), threading.Event()
        self.steps, self.told = [], []

    def __call__(self, target):
        return self

    def write(self, entries):
        self.entered.set()
        assert self.go.wait(_WAIT)
        self.steps += [entry.step for entry in entries if entry.losses]
        self.told += [one for entry in entries for one in entry.anomalies]

    def flush(self):
        pass

    def close(self):
        pass


def test_a_full_queue_drops_new_records_counts_them_and_says_so(tmp_path, caplog):
    sink = Stuck()
    log = RunLogger(tmp_path, sinks=(sink,), limit=100)
    log.log(0, {"a": 1.0})
    assert sink.entered.wait(_WAIT)
    for step in range(1, 151):  # 100 of them find room
        log.log(step, {"a": 1.0})
    assert log.dropped == 50
    sink.go.set()
    assert log.flush(_WAIT)
    log.log(151, {"a": 1.0})
    log.close(_WAIT)
    assert sink.steps == [*range(101), 151]
    assert sink.told == [
        {
            "type": "records_dropped", "value": 50.0,
            "message": "50 records from step 101 to 150 were dropped: what writes them did not"
            " keep up",
        }
    ]  # fmt: skip
    assert len(caplog.records) == 1


def test_neither_flush_nor_close_waits_longer_than_asked(tmp_path, caplog):
    sink = Stuck()
    log = RunLogger(tmp_path, sinks=(sink,))
    log.log(0, {"a": 1.0})
    assert sink.entered.wait(_WAIT)
    log.log(1, {"a": 1.0})
    assert not log.flush(timeout=0.05)
    log.close(timeout=0.05)
    assert log.dropped == 2  # one in the sink, one that waits for it
    assert "not written after" in caplog.text
    sink.go.set()


def test_one_sink_that_fails_does_not_touch_the_other(tmp_path, caplog):
    class Broken(Stuck):
        def write(self, entries):
            raise RuntimeError("no database")

    with RunLogger(tmp_path, sinks=("jsonl", Broken())) as log:
        for step in range(10):
            log.log(step, {"a": 1.0})
    assert steps(tmp_path / "log.jsonl") == list(range(10))
    assert log.dropped == 10
    assert "no database" in caplog.text


def test_an_outlet_keeps_no_more_than_its_limit_and_tells_what_it_lost():
    class Sink:
        open, taken = False, []

        def write(self, entries):
            if not self.open:
                error = OSError(errno.ENOSPC, "full")
                error.written = 0
                raise error
            self.taken.extend(entries)

        def flush(self):
            pass

    now = [0.0]
    faults, sink = Faults("log"), Sink()
    outlet = Outlet("sink", lambda: sink, 10, faults, lambda: 5.0, lambda: now[0])
    for step in range(25):
        outlet.write([Entry(step, 0.0, {"a": 1.0}, {})])
    assert (faults.errors, faults.dropped) == (1, 15)  # one attempt: time stands still
    now[0] = 0.6
    sink.open = True
    outlet.write([])
    *entries, told = sink.taken
    assert [entry.step for entry in entries] == list(range(10))
    assert told.anomalies[0]["value"] == 15
    assert told.step == 9


def test_a_file_that_the_kernel_lets_grow_no_further(tmp_path):
    resource = pytest.importorskip("resource")
    del resource
    code = """
import resource, sys
from trainlens_torch.record.logger import RunLogger
log = RunLogger(sys.argv[1], sync=True)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
for step in range(50):
    log.log(step, {"a": 1.0})
assert log.errors and not log.dropped, log
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.log(50, {"a": 1.0})
log.close(120)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=_WAIT)
    assert steps(tmp_path / "log.jsonl") == list(range(51))
    parsed(tmp_path / "log.jsonl")
