"""``reported-anomaly``: what the training itself said; and ``out-of-memory`` by it."""

import dataclasses

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.reporting.charts import build_charts
from trainlens.reporting.curves import curves as curves_of
from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.run import Notice
from trainlens.work import row


def judged(run, rule="reported-anomaly"):
    return all_rules()[rule](run)


def said(run, *texts):
    notices = tuple(Notice("event", where, text) for where, text in texts)
    return dataclasses.replace(run, notices=notices)


def with_reports(**kinds):
    kinds = {f"anomalies/{k}": (at, np.ones(len(at))) for k, at in kinds.items()}
    return a_run(loss=np.ones(100), **kinds)


def test_the_kinds_with_how_often_and_where():
    run = with_reports(loss_spike=[3, 40, 40, 9], low_coverage=[7])
    (found,) = judged(run)
    assert (found.severity, found.first_step, found.last_step) == (Severity.INFO, 3, 40)
    assert found.evidence == {"reports": 5, "kinds": 2}
    assert found.message == (
        "The training itself reported 5 anomalies: loss_spike 4 (steps 3–40), "
        "low_coverage 1 (step 7)."
    )


def test_a_kind_is_a_fault_where_no_other_rule_can_see_it():
    (found,) = judged(with_reports(nan_loss=[5]))
    assert found.severity is Severity.WARNING
    loss = np.ones(100)
    loss[5] = np.nan
    (seen,) = judged(a_run(loss=loss, **{"anomalies/nan_loss": ([6], [1.0])}))
    assert seen.severity is Severity.INFO
    (blind,) = judged(with_reports(gradient_explosion=[5]))
    assert blind.severity is Severity.WARNING
    run = a_run(grad_norm=np.ones(50), **{"anomalies/gradient_explosion": ([6], [1.0])})
    assert judged(run)[0].severity is Severity.INFO


def test_out_of_memory_is_left_to_its_own_rule():
    run = with_reports(cuda_oom=[5, 9])
    assert judged(run)[0].status is Status.PASS
    (found,) = judged(run, "out-of-memory")
    assert (found.severity, found.first_step, found.evidence["events"]) == (Severity.WARNING, 5, 2)


def test_no_report():
    assert judged(a_run(loss=np.ones(9)))[0].status is Status.SKIP
    header = dataclasses.replace(a_run(loss=np.ones(9)), config={"run": "a", "created": 1.0})
    assert judged(header)[0].status is Status.PASS
    assert judged(with_reports(x=[]))[0].status is Status.SKIP
    flag = a_run(**{"anomalies/x": np.zeros(9)})
    assert judged(flag)[0].status is Status.PASS


@pytest.mark.parametrize(
    ("text", "severity"),
    [("RuntimeError: x", Severity.WARNING), ("KeyboardInterrupt", Severity.INFO),
     ("Killed", Severity.WARNING), ("Loss is nan, stopping training", Severity.WARNING)],
)  # fmt: skip
def test_a_log_that_ends_in_an_error(text, severity):
    run = said(a_run(loss=np.ones(9)), ("a.log, line 20, step 9", text))
    (found,) = judged(run)
    assert (found.severity, found.first_step) == (severity, 9)
    assert f"(a.log, line 20): {text}." in found.message
    before = said(a_run(loss=np.ones(9)), ("a.log, line 5, step 4", text))
    assert judged(before)[0].status is Status.SKIP


def test_an_error_before_any_point():
    (found,) = judged(said(a_run(), ("a.log, line 5", "ValueError: x")))
    assert found.severity is Severity.ERROR
    assert "before its first point (a.log, line 5): ValueError: x." in found.message


def test_memory_that_ran_out_and_a_training_that_went_on():
    text = "CUDA out of memory. Tried to allocate 2.00 GiB"
    for step, severity in ((4, Severity.WARNING), (9, Severity.ERROR)):
        run = said(a_run(loss=np.ones(9)), (f"a.log, line 5, step {step}", text))
        (found,) = judged(run, "out-of-memory")
        assert (found.severity, found.first_step) == (severity, step)
        assert judged(run)[0].status is Status.SKIP
    word = said(a_run(loss=np.ones(9)), ("a.jsonl, record 5, step 9", "event: oom"))
    assert judged(word, "out-of-memory")[0].failed
    other = dataclasses.replace(
        word, notices=(Notice("skipped", "a", "no numbers in: oom (text)"),)
    )
    assert judged(other, "out-of-memory")[0].status is Status.SKIP


def test_reports_are_moments_and_not_drawn_as_curves():
    curves = curves_of(with_reports(loss_spike=[3, 40]), (), 1)
    assert [c.metric for c in build_charts({0: curves}, [])[0]] == ["loss"]


def test_a_list_of_runs_says_why_one_has_no_points():
    run = said(a_run(), ("a.log, line 5", "ValueError: x"))
    assert row(0.0, run).cells[-1] == "ValueError: x"
    assert row(0.0, said(a_run(loss=np.ones(9)), ("a.log, line 5", "x"))).cells[-1] == ""
