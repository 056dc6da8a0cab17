"""Rule non-finite."""

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules


def judge(run):
    return all_rules()["non-finite"](run)


def series(n=100, **bad):
    value = np.linspace(2, 1, n)
    for at, what in bad.items():
        value[int(at[1:])] = what
    return value


def test_nan_in_a_training_loss_is_an_error_with_its_numbers():
    value = series()
    value[60:] = np.nan
    (found,) = judge(a_run(loss=value))
    assert (found.status, found.severity) == ("fail", "error")
    assert (found.first_step, found.last_step) == (61, 100)
    assert found.evidence["count"] == 40
    assert found.evidence["last_finite_value"] == value[59]
    assert "to the end" in found.message


def test_a_single_infinity_that_recovered_is_still_an_error():
    (found,) = judge(a_run(loss=series(_50=np.inf)))
    assert found.severity == "error"
    assert found.evidence["recovered_step"] == 52
    assert "infinite" in found.message


def test_an_attempt_that_was_started_over_is_info():
    value = np.concatenate([series(_40=np.nan)[:50], series()[30:]])
    step = np.concatenate([np.arange(50), np.arange(30, 100)])
    (found,) = judge(a_run(loss=(step, value)))
    assert found.severity == "info"
    assert "later attempt" in found.message


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("grad_norm", series(_50=np.nan), "warning"),
        ("grad_norm", series(_50=np.inf), "info"),  # loss scaling of mixed precision
        ("val_accuracy", series(_50=np.nan), "warning"),
        ("val_accuracy", np.full(50, np.nan), "info"),
        ("val_accuracy", np.where(np.arange(100) % 10 == 9, 0.5, np.nan), "info"),
        ("val_accuracy", np.append(series(60), np.full(40, np.nan)), "info"),
        ("val_loss", series(_50=np.nan), "error"),
    ],
)
def test_severity_by_role_and_pattern(name, value, severity):
    (found,) = judge(a_run(**{name: value}))
    assert (found.status, found.severity) == ("fail", severity)


def test_finite_logs_pass_and_empty_ones_are_skipped():
    (found,) = judge(a_run(loss=series(), val_loss=series(10)))
    assert found.status == "pass"
    assert "110 values of 2 series" in found.message.replace("\u202f", " ")
    assert judge(a_run())[0].status == "skip"


def test_a_limit_that_is_not_set_yet_is_no_fault():
    none_yet = np.r_[np.full(40, np.inf), np.full(60, 3.0)]
    found = judge(a_run(loss=series(), grad_norm_limit=none_yet))
    assert [one.status for one in found] == ["pass"]


def counted(*steps, n=100):
    """A count of skipped updates that rises at these places."""
    return np.cumsum(np.isin(np.arange(n), steps)).astype(float)


def test_what_a_guard_kept_from_the_weights_is_info():
    run = a_run(loss=series(_50=np.nan), grad_norm=series(_50=np.nan),
                skipped_updates=counted(50))  # fmt: skip
    assert [f.severity for f in judge(run)] == ["info", "info"]
    assert all("was skipped each time" in f.message for f in judge(run))


@pytest.mark.parametrize(
    "skipped",
    [counted(), counted(51), counted(50)],
    ids=["none", "another update", "one of two"],
)
def test_what_was_not_skipped_stays_an_error(skipped):
    run = a_run(loss=series(_50=np.nan, _60=np.nan), skipped_updates=skipped)
    assert judge(run)[0].severity == "error"


def test_a_run_that_skips_to_its_end_is_lost_all_the_same():
    value = series()
    value[60:] = np.nan
    run = a_run(loss=value, skipped_updates=counted(*range(60, 100)))
    assert judge(run)[0].severity == "error"
