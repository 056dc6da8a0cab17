"""The JSON Lines writer: one write a line, nothing acknowledged is lost, torn tails are closed."""

import json
import math
import os
import signal
import subprocess
import sys

import pytest

from trainlens.schema import SCHEMA
from trainlens_torch.record.jsonl import JsonlSink


def lines(path):
    return path.read_bytes().split(b"\n")


def test_header_and_records_are_the_schema(tmp_path):
    path = tmp_path / "run.jsonl"
    ticks = iter((5.0, 6.0, 7.0))
    with JsonlSink(path, config={"lr": 0.1}, clock=lambda: next(ticks)) as sink:
        sink.log(1, {"loss": 2.5}, {"lr": 0.1}, progress=0.5)
        sink.log(1, {"loss": math.nan}, split="val", epoch=1.0, anomalies=["non-finite"])
    header, first, second, end = lines(path)
    assert json.loads(header) == {
        "schema": SCHEMA, "run": "run", "created": 5.0, "config": {"lr": 0.1}, "schedules": {},
    }  # fmt: skip
    assert json.loads(first) == {
        "step": 1, "timestamp": 6.0, "progress": 0.5, "losses": {"loss": 2.5},
        "stats": {"lr": 0.1}, "anomalies": [],
    }  # fmt: skip
    record = json.loads(second)
    assert record["split"] == "val"
    assert record["epoch"] == 1.0
    assert math.isnan(record["losses"]["loss"])
    assert record["anomalies"] == ["non-finite"]
    assert end == b""


def test_every_line_is_one_write(tmp_path, monkeypatch):
    written = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: written.append(data) or real(fd, data))
    with JsonlSink(tmp_path / "a.jsonl") as sink:
        sink.log(1, {"loss": 1.0})
        sink.log(2, {"loss": 1.0})
    assert len(written) == 3
    assert all(data.count(b"\n") == 1 and data.endswith(b"\n") for data in written)


def test_reopening_continues_without_a_second_header(tmp_path):
    path = tmp_path / "a.jsonl"
    for step in (1, 2):
        with JsonlSink(path, "name") as sink:
            sink.log(step)
    assert [json.loads(line).get("step") for line in lines(path)[:-1]] == [None, 1, 2]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_tail_does_not_swallow_the_next_record(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    with JsonlSink(path) as sink:
        sink.log(1, {"loss": 1.0})
        sink.log(2, {"loss": 2.0})
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with JsonlSink(path) as sink:
        sink.log(3, {"loss": 3.0})
    _, first, torn, third, end = lines(path)
    assert json.loads(first)["step"] == 1
    assert torn == whole.split(b"\n")[2][: len(torn)]
    assert json.loads(third)["step"] == 3
    assert end == b""


def test_a_torn_header_is_written_again(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"schema": "trainl')
    JsonlSink(path, "b").close()
    torn, header, end = lines(path)
    assert torn == b'{"schema": "trainl'
    assert json.loads(header)["run"] == "b"
    assert end == b""


def test_an_empty_file_gets_its_header(tmp_path):
    path = tmp_path / "a.jsonl"
    path.touch()
    JsonlSink(path).close()
    assert json.loads(path.read_bytes())["run"] == "a"


def test_a_short_write_raises_and_the_next_record_stands_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    sink = JsonlSink(path)
    real = os.write
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
        with pytest.raises(OSError, match="only 7 of"):
            sink.log(1)
    sink.log(2)
    sink.close()
    assert lines(path)[1] == b'{"step"'
    assert json.loads(lines(path)[2])["step"] == 2


def test_a_closed_sink_says_so_and_closes_twice(tmp_path):
    sink = JsonlSink(tmp_path / "a.jsonl")
    sink.close()
    sink.close()
    with pytest.raises(ValueError, match="closed"):
        sink.log(1)


def test_two_sinks_on_one_file_never_interleave_within_a_line(tmp_path):
    path = tmp_path / "a.jsonl"
    first, second = JsonlSink(path), JsonlSink(path)
    for step in range(50):
        first.log(step, {"loss": 1.0})
        second.log(step, {"loss": 2.0})
    first.close()
    second.close()
    assert sorted(json.loads(x)["step"] for x in lines(path)[1:-1]) == sorted([*range(50)] * 2)


def test_kill_9_loses_no_acknowledged_record(tmp_path):
    path = tmp_path / "a.jsonl"
    code = (
        "import sys\n"
        "from trainlens_torch.record.jsonl import JsonlSink\n"
        "sink = JsonlSink(sys.argv[1])\n"
        "for step in range(10**9):\n"
        "    sink.log(step, {'loss': 1.0})\n"
        "    print(step, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(200)][-1]
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split("\n")
    child.wait()
    child.stdout.close()
    acknowledged = max([acknowledged, *(int(x) for x in rest[:-1])])
    steps = [json.loads(x)["step"] for x in lines(path)[1:-1]]
    assert steps[: acknowledged + 1] == list(range(acknowledged + 1))
