"""``out-of-memory``: counters, flags and messages."""

import dataclasses

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.run import Notice


def judged(run):
    return all_rules()["out-of-memory"](run)


def events(n=100, at=(20, 50)):
    value = np.zeros(n)
    value[list(at)] = 1
    return value


@pytest.mark.parametrize("name", ["num_ooms", "memory/num_ooms", "oom_count", "cuda_oom", "ooms"])
@pytest.mark.parametrize("kind", [np.asarray, np.cumsum])
def test_counters_and_flags(name, kind):
    (found,) = judged(a_run(**{name: kind(events())}))
    assert found.severity is Severity.WARNING
    assert found.evidence["events"] == 2
    assert (found.first_step, found.last_step) == (21, 51)


def test_a_flag_of_the_last_step():
    (found,) = judged(a_run(oom=events(at=(99,))))
    assert (found.evidence["events"], found.first_step) == (1, 100)


def test_a_counter_starts_anew_with_the_process():
    step = np.concatenate([np.arange(100), np.arange(80, 180)])
    (found,) = judged(a_run(num_ooms=(step, np.tile(np.cumsum(events()), 2))))
    assert found.evidence["events"] == 4


def test_a_counter_that_stands_still():
    (none,) = judged(a_run(num_ooms=np.zeros(50)))
    assert none.status is Status.PASS
    (before,) = judged(a_run(num_ooms=np.full(50, 3.0)))
    assert (before.failed, before.severity) == (True, Severity.INFO)


def test_numbers_that_are_none():
    assert judged(a_run(oom=np.full(9, np.nan)))[0].status is Status.PASS
    assert judged(a_run(oom=[0, np.inf, 0, np.nan, 1]))[0].evidence["events"] == 1
    assert judged(a_run(oom=np.full(9, 1e300)))[0].failed


@pytest.mark.parametrize(
    "text",
    ["torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
     "RESOURCE_EXHAUSTED: failed to allocate", "worker was oom-killed"],
)  # fmt: skip
def test_a_message_is_an_error(text):
    run = dataclasses.replace(a_run(loss=np.ones(9)), notices=(Notice("error", "a, line 3", text),))
    (found,) = judged(run)
    assert found.severity is Severity.ERROR
    assert text[:30] in found.message
    assert "a, line 3" in found.message


def test_nothing_to_go_by():
    run = dataclasses.replace(
        a_run(loss=np.ones(9), room=np.ones(9)), notices=(Notice("corrupt", "a", "bad room", 1),)
    )
    assert judged(run)[0].status is Status.SKIP


def a_report(steps, kind="out_of_memory"):
    return {f"anomalies/{kind}": (np.array(steps), np.ones(len(steps)))}


def test_a_report_where_a_count_rises_is_told_once():
    (found,) = judged(a_run(num_ooms=np.cumsum(events()), **a_report([21, 51])))
    assert (found.metric, found.evidence["events"]) == ("num_ooms", 2)


@pytest.mark.parametrize("kind", ["oom", "out_of_memory"])
def test_a_report_where_no_count_rises_is_told_as_well(kind):
    run = a_run(num_ooms=np.cumsum(events()), **a_report([21, 70], kind=kind))
    found = judged(run)
    assert [f.metric for f in found] == ["num_ooms", f"anomalies/{kind}"]
    assert (found[1].first_step, found[1].last_step) == (21, 70)


def test_the_message_of_a_report_is_told_only_where_nothing_comes_after_it():
    def with_message(step):
        told = Notice("event", f"log.jsonl, record 3, step {step}", "oom: 2 GiB")
        run = a_run(loss=np.ones(100), **a_report([50, 100]))
        return judged(dataclasses.replace(run, notices=(told,)))

    assert [f.metric for f in with_message(50)] == ["anomalies/out_of_memory"]
    last, again = with_message(100)
    assert last.severity is Severity.ERROR
    assert again.metric == "anomalies/out_of_memory"
