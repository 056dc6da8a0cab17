"""RunLogger: what is given is what is read, and nothing that is given ends a training."""

import argparse
import dataclasses
import gc
import json
import logging
import math
import pickle
import threading
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.torch.record.logs import anomalies, parsed, steps
from trainlens.errors import UsageError
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.logger import RunLogger

BOTH = pytest.mark.parametrize("sync", [True, False])


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "trainlens writer":
            thread.join(10)
            assert not thread.is_alive()


@BOTH
def test_records_are_what_was_logged(tmp_path, sync):
    ticks = iter(range(100, 200))
    with RunLogger(tmp_path / "a", config={"lr": 0.1}, sync=sync, clock=lambda: next(ticks)) as log:
        # The header takes a tick of its own; let it be the first.
        assert log.flush()
        log.log(1, {"loss": 2.5}, {"lr": 0.1})
        log.log(2, {"loss": math.nan, "kl": math.inf}, split="val", epoch=1, progress=0.5)
    header, records = parsed(tmp_path / "a" / "log.jsonl")
    assert header == {
        "schema": "trainlens.log/1", "run": "a", "created": 100, "config": {"lr": 0.1},
        "schedules": {},
    }  # fmt: skip
    assert records[0] == {
        "step": 1, "timestamp": 101, "losses": {"loss": 2.5}, "stats": {"lr": 0.1}, "anomalies": [],
    }  # fmt: skip
    assert math.isnan(records[1]["losses"].pop("loss"))
    assert records[1] == {
        "step": 2, "timestamp": 102, "progress": 0.5, "epoch": 1.0, "split": "val",
        "losses": {"kl": math.inf}, "stats": {}, "anomalies": [],
    }  # fmt: skip
    assert (log.errors, log.dropped) == (0, 0)


@BOTH
def test_trainlens_reads_it(tmp_path, sync):
    import trainlens

    with RunLogger(tmp_path / "a", sync=sync) as log:
        for step in range(50):
            log.log(step, {"total_loss": 1 / (step + 1)})
    run = trainlens.load_one(tmp_path / "a")
    assert not run.notices
    series = run["total_loss", "train"]
    assert series.step.tolist() == list(range(50))
    assert series.value.tolist() == [1 / (step + 1) for step in range(50)]


names = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.dictionaries(names, st.floats(allow_nan=False), max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), values, values, names), max_size=8))
def test_any_names_and_floats_come_back_exact(tmp_path_factory, calls):
    folder = tmp_path_factory.mktemp("run")
    with RunLogger(folder) as log:
        for step, losses, stats, split in calls:
            log.log(step, losses, stats, split)
    found = [
        (record["step"], record["losses"], record["stats"], record.get("split", "train"))
        for record in parsed(folder / "log.jsonl")[1]
    ]
    assert found == calls
    assert log.errors == 0


def test_ten_thousand_names(tmp_path):
    given = {"half of a pair \ud800": 1.0, "null": 2.0} | {
        f'a/{number}"\n\\é': float(number) for number in range(10_000)
    }
    with RunLogger(tmp_path) as log:
        log.log(1, given)
    assert parsed(tmp_path / "log.jsonl")[1][0]["losses"] == given


def test_numbers_of_numpy_and_python(tmp_path):
    given = {
        "f16": np.float16(0.5), "f32": np.float32(0.1), "i": np.int64(7), "u": np.uint8(200),
        "b": np.bool_(True), "0d": np.array(3.0), "1": np.array([[4]]), "int": 2**53, "bool": False,
    }  # fmt: skip
    with RunLogger(tmp_path) as log:
        log.log(np.int32(3), given)
    (record,) = parsed(tmp_path / "log.jsonl")[1]
    assert record["step"] == 3
    assert record["losses"] == {
        "f16": 0.5, "f32": float(np.float32(0.1)), "i": 7, "u": 200, "b": 1, "0d": 3, "1": 4,
        "int": 2**53, "bool": 0,
    }  # fmt: skip
    assert log.errors == 0


@BOTH
def test_tensors_of_any_dtype(tmp_path, sync):
    torch = pytest.importorskip("torch")
    kinds = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool")
    given = {kind: torch.ones((), dtype=getattr(torch, kind)) for kind in kinds}
    given["shape"] = torch.full((1, 1, 1), 2.0)
    given["graph"] = torch.tensor(3.0, requires_grad=True) * 1.5
    with RunLogger(tmp_path, sync=sync) as log:
        log.log(torch.tensor(4), given)
        given["float32"] += 41  # what was logged is the value at the call
        log.log(5, given)
    first, second = parsed(tmp_path / "log.jsonl")[1]
    assert first["step"] == 4
    assert first["losses"] == {**dict.fromkeys(kinds, 1.0), "shape": 2.0, "graph": 4.5}
    assert second["losses"]["float32"] == 42
    assert log.errors == 0


@BOTH
def test_what_is_no_number_is_left_out_counted_and_told_once(tmp_path, sync, caplog):
    torch = pytest.importorskip("torch")
    bad = {
        "vector": torch.zeros(3), "empty": torch.zeros(0), "complex": torch.tensor(1j),
        "meta": torch.zeros((), device="meta"), "text": "0.5", "none": None, "list": [1.0],
        "array": np.zeros(2), "huge": 10**400, "object": np.array("a"),
    }  # fmt: skip
    with RunLogger(tmp_path, sync=sync) as log:
        for step in range(3):
            log.log(step, {"good": 1.0, **bad})
    _, records = parsed(tmp_path / "log.jsonl")
    assert [record["losses"] for record in records] == [{"good": 1.0}] * 3
    assert log.errors == 3 * len(bad)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(bad)
    assert all(any(f"{name!r} is left out: " in line for line in told) for name in bad)
    assert len(anomalies(tmp_path / "log.jsonl", "value_left_out")) == len(bad)
    assert len(records[0]["anomalies"]) == len(bad)


@BOTH
@pytest.mark.parametrize("step", [1.5, "3", None, math.nan, math.inf, 2**63, [1], 1j])
def test_a_step_that_is_no_integer_is_counted(tmp_path, sync, step, caplog):
    with RunLogger(tmp_path, sync=sync) as log:
        log.log(step, {"a": 1.0})
        log.log(1, {"a": 1.0})
    assert log.errors == 1
    assert len(caplog.records) == 1
    assert steps(tmp_path / "log.jsonl") == [1]


@BOTH
@pytest.mark.parametrize("losses", [3.0, [1.0], "abc", np.zeros(3)])
def test_losses_that_are_no_mapping_are_counted(tmp_path, sync, losses):
    with RunLogger(tmp_path, sync=sync) as log:
        log.log(1, losses)
        log.log(2, {"a": 1.0})
    assert log.errors == 1
    assert steps(tmp_path / "log.jsonl") == [2]


@BOTH
def test_a_closed_logger_counts_and_says_it_once(tmp_path, sync, caplog):
    log = RunLogger(tmp_path, sync=sync)
    log.log(1, {"a": 1.0})
    log.close()
    log.close()
    log.log(2, {"a": 1.0})
    log.log(3, {"a": torch_free_number()}, epoch=1)
    assert log.errors == 2
    assert log.flush() is False
    assert len(caplog.records) == 1
    assert "closed" in caplog.text
    assert steps(tmp_path / "log.jsonl") == [1]


def torch_free_number():
    return np.float32(1)


@BOTH
def test_strict_raises(tmp_path, sync):
    with RunLogger(tmp_path / "a", sync=sync, strict=True) as log:
        with pytest.raises(TypeError, match="step"):
            log.log("x", {})
        with pytest.raises(TypeError, match="'name'"):
            log.log(1, {"name": "text"})
        log.log(2, {"a": 1.0})
    with pytest.raises(ValueError, match="closed"):
        log.log(3)
    assert steps(tmp_path / "a" / "log.jsonl") == [2]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        RunLogger(tmp_path / "file", sync=sync, strict=True)


def test_a_mapping_that_changes_after_the_call(tmp_path):
    values = {"a": 1.0}
    with RunLogger(tmp_path) as log:
        log.log(1, values)
        values["a"] = 2.0
        log.log(2, values)
    assert [record["losses"]["a"] for record in parsed(tmp_path / "log.jsonl")[1]] == [1.0, 2.0]


@BOTH
def test_a_log_is_continued_and_a_torn_line_is_closed(tmp_path, sync):
    path = tmp_path / "log.jsonl"
    with RunLogger(tmp_path, sync=sync, config={"lr": 1}) as log:
        log.log(1, {"a": 1.0})
    with path.open("ab") as file:
        file.write(b'{"step": 2, "losses": {"a"')
    with RunLogger(tmp_path, sync=sync, config={"lr": 2}) as log:
        log.log(0, {"a": 3.0})
    first, second, torn, third = path.read_bytes().splitlines()
    assert json.loads(first)["config"] == {"lr": 1}
    assert json.loads(second)["step"] == 1
    assert torn == b'{"step": 2, "losses": {"a"'
    assert json.loads(third)["step"] == 0


def test_a_file_instead_of_a_folder(tmp_path):
    with RunLogger(tmp_path / "deep" / "name.jsonl") as log:
        log.log(1, {"a": 1.0})
    assert parsed(tmp_path / "deep" / "name.jsonl")[0]["run"] == "name"


def test_a_config_of_any_kind(tmp_path):
    @dataclasses.dataclass
    class Model:
        width: int = 8
        path: Path = Path("x")

    config = argparse.Namespace(model=Model(), betas=(0.9, 0.99), seed=np.int64(3), fn=len)
    config.itself = config
    with RunLogger(tmp_path, config=config) as log:
        log.log(1)
    found = parsed(tmp_path / "log.jsonl")[0]["config"]
    assert found["model"] == {"width": 8, "path": "x"}
    assert found["betas"] == [0.9, 0.99]
    assert found["seed"] == 3
    assert log.errors == 0


def test_a_forgotten_logger_is_closed(tmp_path):
    for sync in (True, False):
        log = RunLogger(tmp_path / str(sync), sync=sync)
        log.log(1, {"a": 1.0})
        del log
        gc.collect()
        for thread in threading.enumerate():
            if thread.name == "trainlens writer":
                thread.join(10)
        assert steps(tmp_path / str(sync) / "log.jsonl") == [1]


def test_flush_makes_everything_readable(tmp_path):
    with RunLogger(tmp_path) as log:
        for step in range(1000):
            log.log(step, {"a": 1.0})
        assert log.flush()
        assert steps(tmp_path / "log.jsonl") == list(range(1000))


def test_a_pickled_logger_goes_on_in_the_same_process(tmp_path):
    with RunLogger(tmp_path) as log:
        copy = pickle.loads(pickle.dumps(log))
        log.log(1, {"a": 1.0})
        assert log.flush()
        copy.log(2, {"a": 1.0})
        copy.close()
    assert steps(tmp_path / "log.jsonl") == [1, 2]


@pytest.mark.parametrize("sinks", [(), ("nothing",), ("jsonl:x",), (3,)])
def test_unknown_sinks_are_refused(tmp_path, sinks):
    with pytest.raises(UsageError):
        RunLogger(tmp_path, sinks=sinks)


class Collected:
    """A sink in memory."""

    def __init__(self):
        self.entries = []
        self.flushes = self.closes = 0

    def __call__(self, target):
        return self

    def write(self, entries):
        self.entries += entries

    def flush(self):
        self.flushes += 1

    def close(self):
        self.closes += 1


@BOTH
def test_watchers_add_anomalies_and_may_fail(tmp_path, sync, caplog):
    class Watcher:
        def see(self, entry):
            if entry.step == 2:
                raise KeyError("odd")
            return [{"type": "odd", "value": 1.0}] if entry.step % 2 else []

    sink = Collected()
    with RunLogger(tmp_path, sinks=(sink,), sync=sync, watchers=[Watcher()]) as log:
        for step in range(4):
            log.log(step, {"a": 1.0})
    odd = ({"type": "odd", "value": 1.0},)
    assert [entry.anomalies for entry in sink.entries] == [(), odd, (), odd]
    assert isinstance(sink.entries[0], Entry)
    assert (log.errors, sink.closes) == (1, 1)
    assert sink.flushes >= 1
    assert caplog.record_tuples == [
        ("trainlens", logging.WARNING, f"{tmp_path}: a watcher failed: KeyError('odd')")
    ]


def test_several_threads_log_at_once(tmp_path):
    def work(first):
        for step in range(first, first + 500):
            log.log(step, {"a": float(step)}, split=f"from {first}")

    with RunLogger(tmp_path) as log:
        threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = parsed(tmp_path / "log.jsonl")[1]
    for first in range(0, 4000, 1000):
        mine = [record["step"] for record in records if record["split"] == f"from {first}"]
        assert mine == list(range(first, first + 500))


def test_schedules_are_taken_from_a_scheduler_and_from_its_parts(tmp_path):
    torch = pytest.importorskip("torch")
    from trainlens_torch import Clock, Cosine, ProgressiveDropout, Scheduler

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    dropout = ProgressiveDropout(torch.nn.Dropout(), start_step=5, total=10)
    scheduler = Scheduler(optimizer, Clock(10), lr=Cosine(), parts=[dropout])
    for name, plan in (("a", scheduler), ("b", dropout), ("c", scheduler.header())):
        RunLogger(tmp_path / name, schedules=plan, strict=True).close()
    heads = [parsed(tmp_path / name / "log.jsonl")[0]["schedules"] for name in "abc"]
    assert heads[0] == heads[2] == json.loads(json.dumps(scheduler.header()))
    assert heads[1] == json.loads(json.dumps(dropout.plan()))


def test_rank_0_says_how_many_train_together(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in range(2):
        with RunLogger(tmp_path, rank=rank) as log:
            log.log(1, {"a": 1.0})
    assert parsed(tmp_path / "log.jsonl")[0]["ranks"] == 2
    assert "ranks" not in parsed(tmp_path / "log.rank1.jsonl")[0]
