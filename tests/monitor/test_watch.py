"""`trainlens.watch`: a watch as a loop of one's own."""

import pytest

import trainlens
from tests.monitor.growing import add, falling, record


def test_each_round_is_an_update(tmp_path):
    log, waits = tmp_path / "run.jsonl", []
    add(log, *(record(s, falling(s)) for s in range(40)))

    def sleep(seconds):
        waits.append(seconds)
        add(log, *(record(s, falling(s)) for s in range(40 * len(waits), 40 * len(waits) + 40)))

    updates = trainlens.watch(log, interval=7.0, sleep=sleep, plugins=False)
    held = [next(updates) for _ in range(3)]
    updates.close()
    assert [u.round for u in held] == [1, 2, 3]
    assert [sum(r.points for r in u.runs) for u in held] == [40, 80, 120]
    assert all(0.0 <= w <= 7.0 for w in waits)


def test_changes_are_told_once(tmp_path):
    log = tmp_path / "run.jsonl"
    add(log, *(record(s, float("nan") if s > 50 else falling(s)) for s in range(60)))
    updates = trainlens.watch(log, sleep=lambda seconds: None, select=["non-finite"])
    told = [c.finding.rule for _ in range(4) for c in next(updates).changes]
    assert told == ["non-finite"]


def test_a_rule_that_does_not_exist_is_said_at_once(tmp_path):
    with pytest.raises(trainlens.TrainlensError, match="nonsense"):
        trainlens.watch(tmp_path, select=["nonsense"])
