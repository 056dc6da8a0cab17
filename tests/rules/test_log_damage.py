"""``log-damage``: what notices say was lost."""

import dataclasses

import numpy as np
import pytest
from rule_runs import a_run

from trainlens.rules import all_rules
from trainlens.rules.base import Severity, Status
from trainlens.run import Notice


def judged(*notices, n=1000):
    run = dataclasses.replace(a_run(loss=np.ones(n)), notices=notices)
    (found,) = all_rules()["log-damage"](run)
    return found


def test_every_record_was_read():
    found = judged(Notice("assumed", "a", "steps counted"), Notice("skipped", "a", "text", 0))
    assert (found.status, found.message) == (Status.PASS, "Every record was read.")


@pytest.mark.parametrize(
    ("notices", "severity"),
    [
        ([Notice("torn-tail", "a", "", 1)], "info"),
        ([Notice("torn-tail", "a", "", None)], "info"),
        ([Notice("corrupt", "a", "", 0)], "info"),
        ([Notice("corrupt", "a", "", 9)], "info"),
        ([Notice("corrupt", "a", "", 11)], "warning"),
        ([Notice("torn-tail", "a", "", 1), Notice("corrupt", "a", "", 5)], "info"),
        ([Notice("corrupt", "a", "", None)], "warning"),
        ([Notice("unreadable", "a", "", None)], "warning"),
        ([Notice("lfs-pointer", "a", "", None)], "warning"),
        ([Notice("skipped", "a", "", 200)], "warning"),
    ],
)
def test_how_grave_it_is(notices, severity):
    found = judged(*notices)
    assert found.failed
    assert found.severity is Severity(severity)


def test_numbers_in_the_message():
    found = judged(Notice("corrupt", "a", "", 20), Notice("torn-tail", "a", "", 1), n=979)
    assert found.evidence == {"lost": 21, "records": 979, "share": 0.021, "places": 2}
    assert found.message == "Lost: 21 records at 2 places (corrupt and torn-tail), beside 979 " \
        "that were read."  # fmt: skip


def test_a_run_without_records():
    assert judged(Notice("corrupt", "a", "", 3), n=0).severity is Severity.WARNING
