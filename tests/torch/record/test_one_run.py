"""What one logger writes is one run, and what it is told reaches the rules."""

import pytest

import trainlens
from tests.torch.record.logs import parsed
from trainlens.rules import all_rules
from trainlens_torch import RunLogger, SystemMonitor, Watcher

SINKS = ("jsonl", "tensorboard", "text", "csv")
OOM = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def write(folder, sinks, **more):
    with RunLogger(folder, sinks=sinks, config={"lr": 0.1}, sync=True, **more) as log:
        for step in range(1, 60):
            log.log(step, {"total": 1 / step}, {"lr": 0.1})
        log.log(59, {"total": 0.22}, {"mpjpe": 55.5}, split="val")


@pytest.mark.parametrize("sinks", [("jsonl",), SINKS, ("text", "jsonl")])
def test_a_folder_of_all_sinks_is_one_run(tmp_path, sinks):
    write(tmp_path / "a", sinks)
    run = trainlens.load_one(tmp_path / "a")
    assert (run.name, run.format) == ("a", "jsonl")
    assert len(run["total", "train"]) == 59


def test_each_sink_alone_can_be_read(tmp_path):
    write(tmp_path / "a", SINKS)
    for name in ("tb", "log.txt", "metrics.csv"):
        run = trainlens.load_one(tmp_path / "a" / name)
        assert run["mpjpe", "val"].value.tolist() == [55.5]


def test_without_the_native_log_each_sink_is_what_it_was(tmp_path):
    write(tmp_path / "a", ("text", "csv"))
    assert {run.format for run in trainlens.load(tmp_path / "a")} == {"text", "csv"}


def test_the_header_names_what_the_logger_writes_and_nothing_of_a_shared_folder(tmp_path):
    write(tmp_path / "a", ("jsonl", "csv", "text"), rank=3)
    header, _ = parsed(tmp_path / "a/log.rank3.jsonl")
    assert header["copies"] == ["metrics.rank3.csv", "log.rank3.txt"]
    write(tmp_path / "b.jsonl", ("jsonl", "csv"))
    assert "copies" not in parsed(tmp_path / "b.jsonl")[0]


def test_an_aim_repository_in_the_folder_is_a_copy(tmp_path):
    pytest.importorskip("aim")
    with RunLogger(tmp_path / "a", sinks=("jsonl", "aim")) as log:
        for step in range(5):
            log.log(step, {"total": 1.0})
        assert log.flush(120.0)
    run = trainlens.load_one(tmp_path / "a")
    assert run.format == "jsonl"
    assert trainlens.load_one(tmp_path / "a/.aim").format == "aim"


@pytest.mark.parametrize("watched", [False, True])
def test_memory_that_ran_out_reaches_the_rule(tmp_path, watched):
    watchers = [Watcher()] if watched else []
    with (
        SystemMonitor(readers=[], sleep=lambda _: None) as system,
        RunLogger(tmp_path, sync=True, watchers=watchers) as log,
    ):
        for step in range(40):
            found = [system.record_oom(OOM, step)] if step in (12, 25) else []
            log.log(step, {"total": 1.0}, {"num_ooms": 0.0, **system.stats()}, anomalies=found)
    records = parsed(tmp_path / "log.jsonl")[1]
    kinds = [a["type"] for a in records[12]["anomalies"]]
    assert kinds == ["out_of_memory"] * (1 + watched)
    assert "2.00 GiB" in records[12]["anomalies"][0]["message"]
    (finding,) = all_rules()["out-of-memory"](trainlens.load_one(tmp_path))
    assert finding.status == "fail"
    assert (finding.first_step, finding.last_step) == (12, 25)
    assert finding.evidence["events"] == 2


def test_a_report_alone_is_enough(tmp_path):
    with RunLogger(tmp_path, sync=True) as log:
        for step in range(9):
            log.log(step, {"total": 1.0}, anomalies="oom" if step == 4 else ())
    (finding,) = all_rules()["out-of-memory"](trainlens.load_one(tmp_path))
    assert (finding.status, finding.first_step) == ("fail", 4)


def test_anomalies_of_a_user_are_made_plain(tmp_path):
    with RunLogger(tmp_path, sync=True) as log:
        log.log(1, {"a": 1.0}, anomalies=[{"type": "odd", "value": 3, "where": tmp_path}, "words"])
        log.log(2, {"a": object()}, anomalies=["kept"])
    first, second = parsed(tmp_path / "log.jsonl")[1]
    assert first["anomalies"] == [
        {"type": "odd", "value": 3, "where": str(tmp_path)},
        "words",
    ]
    assert [a if isinstance(a, str) else a["type"] for a in second["anomalies"]] == [
        "kept",
        "value_left_out",
    ]
    assert log.errors == 1
