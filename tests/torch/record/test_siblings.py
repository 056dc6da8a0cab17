"""What rank 0 says of the other ranks at its end: from their files alone, without a wait."""

import json
import math
import os

import pytest

from tests.torch.record.logs import anomalies, parsed
from trainlens_torch.record import siblings
from trainlens_torch.record.logger import RunLogger
from trainlens_torch.record.siblings import SCHEMA, RollCall, members, note


def logged(folder, rank, steps, value=lambda step: 1.0, **more):
    """The log of one rank that has ended."""
    with RunLogger(folder, rank=rank, **more) as log:
        for step in steps:
            log.log(step, {"loss": value(step)}, {"lr": 0.1})


def told(folder, name="log.ranks.json"):
    return json.loads((folder / name).read_text())


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def test_one_rank_alone_writes_nothing_more(tmp_path):
    logged(tmp_path, 0, range(5))
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_the_metrics_across_ranks_at_their_last_common_step(tmp_path):
    for rank in (2, 1, 0):
        logged(tmp_path, rank, range(10 + rank), lambda step, r=rank: step + r / 2)
    found = told(tmp_path)
    assert found["schema"] == SCHEMA
    assert [one["last_step"] for one in found["ranks"]] == [9, 10, 11]
    assert [one["file"] for one in found["ranks"]] == [
        "log.jsonl", "log.rank1.jsonl", "log.rank2.jsonl",
    ]  # fmt: skip
    assert found["missing"] == []
    assert found["at_step"] == 9
    assert found["metrics"]["loss"] == {
        "min": 9.0, "mean": 9.5, "max": 10.0, "min_rank": 0, "max_rank": 2,
    }  # fmt: skip
    assert found["metrics"]["lr"]["min_rank"] == 0
    assert all(record["losses"] for record in parsed(tmp_path / "log.jsonl")[1])


def test_a_rank_that_ended_before_is_an_anomaly_of_rank_0(tmp_path):
    logged(tmp_path, 1, range(100))
    logged(tmp_path, 2, range(0))
    logged(tmp_path, 3, range(399))  # one record less is no fault
    os.environ["WORLD_SIZE"] = "6"
    try:
        logged(tmp_path, 0, range(400))
    finally:
        del os.environ["WORLD_SIZE"]
    assert told(tmp_path)["missing"] == [4, 5]
    assert [one["behind"] for one in told(tmp_path)["ranks"]] == [0, 300, 400, 0]
    first, second = anomalies(tmp_path / "log.jsonl", "rank_behind")
    assert first == {
        "type": "rank_behind", "value": 300.0,
        "message": "rank 1 (log.rank1.jsonl) ended at step 99, 300 steps before rank 0",
    }  # fmt: skip
    assert second["message"].startswith("rank 2 (log.rank2.jsonl) logged nothing")
    assert parsed(tmp_path / "log.jsonl")[1][-1]["step"] == 399


def test_ranks_that_log_less_often_are_not_behind(tmp_path):
    logged(tmp_path, 1, range(0, 400, 100))
    logged(tmp_path, 0, range(400))
    assert [one["behind"] for one in told(tmp_path)["ranks"]] == [0, 0]
    assert told(tmp_path)["at_step"] == 300


def test_nan_of_one_rank_is_told(tmp_path):
    logged(tmp_path, 1, range(5), lambda step: math.nan)
    logged(tmp_path, 0, range(5))
    found = told(tmp_path)["metrics"]["loss"]
    assert all(math.isnan(found[name]) for name in ("min", "mean", "max"))
    assert found["min_rank"] == 1


def test_faults_of_other_ranks_are_counted(tmp_path):
    logged(tmp_path, 1, range(3), lambda step: "text")
    logged(tmp_path, 0, range(3))
    assert told(tmp_path)["ranks"][1]["anomalies"] == {"value_left_out": 1}


def test_files_of_an_earlier_training_are_left_out(tmp_path, monkeypatch):
    logged(tmp_path, 1, range(50), clock=lambda: 1000.0)
    logged(tmp_path, 2, range(50), clock=lambda: 1000.0)
    logged(tmp_path, 0, range(50, 60), clock=lambda: 9000.0)
    assert not (tmp_path / "log.ranks.json").exists()
    # Where the launcher tells how many there are, a rank of them that says nothing is behind.
    monkeypatch.setenv("WORLD_SIZE", "2")
    logged(tmp_path, 0, range(60, 70), clock=lambda: 19_000.0)
    (one,) = anomalies(tmp_path / "log.jsonl", "rank_behind")
    assert "rank 1" in one["message"]


def test_it_waits_for_a_rank_that_writes_a_moment_later(tmp_path):
    logged(tmp_path, 1, range(10))
    with RunLogger(tmp_path, rank=0) as log:
        for step in range(100):
            log.log(step, {"loss": 1.0})
    (tmp_path / "log.ranks.json").unlink()
    now, waits = [0.0], []

    def sleep(seconds):
        now[0] += seconds
        waits.append(seconds)
        if len(waits) == 3:
            logged(tmp_path, 1, range(10, 100))

    call = RollCall(tmp_path / "log.jsonl", None, lambda: 5.0, lambda: now[0], sleep)
    assert call(0.0) is None
    assert len(waits) == 3
    assert told(tmp_path)["ranks"][1]["last_step"] == 99


def test_it_waits_no_longer_than_its_patience(tmp_path):
    logged(tmp_path, 1, range(10))
    logged(tmp_path, 0, range(100))
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    entry = RollCall(tmp_path / "log.jsonl", None, lambda: 5.0, lambda: now[0], sleep, 2.0)(0.0)
    assert now[0] == pytest.approx(2.0, abs=0.06)
    assert entry.step == 99
    assert [odd["type"] for odd in entry.anomalies] == ["rank_behind"]


def test_torn_foreign_and_unreadable_files_do_no_harm(tmp_path):
    logged(tmp_path, 1, range(10))
    with (tmp_path / "log.rank1.jsonl").open("ab") as file:
        file.write(b'\n[1]\n{"step": 1}\nnot json\n{"step": 11, "losses": {')
    (tmp_path / "log.rank2.jsonl").mkdir()
    (tmp_path / "log.rankx.jsonl").write_text("{}\n")
    (tmp_path / "log.rank3.txt").write_text("x\n")
    logged(tmp_path, 0, range(10))
    assert [one["rank"] for one in told(tmp_path)["ranks"]] == [0, 1]


def test_only_the_end_of_a_long_log_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(siblings, "_TAIL", 1000)
    for rank in (1, 0):
        logged(tmp_path, rank, range(1000))
    found = members(tmp_path / "log.jsonl")
    assert all(len(one.steps) < 15 for one in found)
    assert note(found, (), 0.0)["at_step"] == 999


def test_a_note_that_cannot_be_written_is_counted(tmp_path, caplog):
    (tmp_path / "log.ranks.json").mkdir()
    logged(tmp_path, 1, range(10))
    log = RunLogger(tmp_path, rank=0)
    log.log(1, {"loss": 1.0})
    log.close()
    assert log.errors == 1
    assert "log.ranks.json" in caplog.text
    assert not (tmp_path / "log.ranks.json.part").exists()


def test_a_file_of_its_own_name(tmp_path):
    for rank in (1, 0):
        logged(tmp_path / "a.jsonl", rank, range(3))
    assert told(tmp_path, "a.ranks.json")["ranks"][1]["file"] == "a.rank1.jsonl"


def test_trainlens_takes_it_for_no_run(tmp_path):
    import trainlens

    for rank in (1, 0):
        logged(tmp_path, rank, range(3))
    found = trainlens.discover(tmp_path)
    assert sorted(source.path.name for source in found) == ["log.jsonl", "log.rank1.jsonl"]
    assert not found.notices
