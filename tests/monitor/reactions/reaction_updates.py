"""Updates of a watch, made by hand."""

import time

from trainlens.monitor.model import AGAIN, CLOSED, LIVE, OPENED, WORSE, Change, Standing, Update
from trainlens.rules.base import Finding, Severity, Status

AT = 1_700_000_000.25
SEVERITIES = {s.value: s for s in Severity}


def finding(severity="error", rule="divergence", message="The loss rose from 1.2 to 4.5.", **more):
    more = {"first_step": 12000, "metric": "loss", "split": "train", **more}
    return Finding(rule, Status.FAIL, SEVERITIES[severity], message=message, **more)


def change(kind=OPENED, number=1, severity="error", run="gpt", before=None, **more):
    before = SEVERITIES[before] if before else None
    found = finding(severity, **more)
    return Change(kind, number, run, f"/logs/{run}.jsonl", found, AT, before)


def standing(name="gpt", findings=(), looked=100, **more):
    more = {"state": LIVE, "points": 100, "step": 12500, "planned": 20000, "progress": 0.625,
            "verdict": "failing", **more}  # fmt: skip
    numbered = tuple(enumerate(findings, 1))
    return Standing(name, f"/logs/{name}.jsonl", "jsonl", findings=numbered, looked=looked, **more)


def update(*changes, runs=None, round=1):
    runs = [standing()] if runs is None else runs
    return Update(round, AT, "/logs", tuple(runs), changes)


def until(true, limit=20.0):
    """Wait for something that another thread or process does."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


__all__ = ["AGAIN", "AT", "CLOSED", "OPENED", "WORSE", "change", "finding", "standing", "until",
           "update"]  # fmt: skip
