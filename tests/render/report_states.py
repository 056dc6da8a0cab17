"""The states of a report that every output has to be good for, small enough to be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import report_demo as demo

from trainlens.comparison import compare
from trainlens.reporting import build
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Status
from trainlens.run import Notice

MISSING = (
    Finding("overfitting", Status.SKIP, message="no validation loss in this log"),
    Finding("stagnation", Status.INCONCLUSIVE, message="cannot tell: fewer than 20 points"),
)


def damaged():
    """A healthy run of which records are missing, some of them uncounted."""
    base = demo.healthy()
    notices = (
        Notice("torn-tail", "baseline.jsonl, line 4001", "the last line is not complete", 1),
        Notice("corrupt", "baseline.jsonl, bytes 81920-82417", "3 lines were unreadable", 3),
        Notice("gap", "baseline.jsonl", "the file was truncated while it was read", None),
    )
    return Diagnosis(replace(base.run, notices=notices), base.results)


def one_point():
    """A run that has just begun."""
    held = demo.run("just-begun", [demo.column("loss", [10], [2.3])])
    return Diagnosis(held, MISSING)


def only_training():
    """A run whose log holds the training loss and nothing else."""
    step = 10 * np.arange(600)
    loss = demo.curve(np.random.default_rng(11), 600)
    return Diagnosis(
        demo.run("lone", [demo.column("loss", step, loss)]), (*demo.passes(), MISSING[0])
    )


def compared():
    """Three runs, the others held against the first."""
    judged = demo.dozen(400)[2:5]
    runs = [d.run for d in judged]
    return judged, compare(runs[0], runs[1:])


STATES = {
    "healthy": lambda: [demo.healthy()],
    "sick": lambda: [demo.overfitting()],
    "forty": lambda: [demo.forty()],
    "crashed": lambda: [demo.diverging()],
    "running": lambda: [demo.healthy()],
    "twelve": lambda: demo.dozen(400),
    "comparison": lambda: compared()[0],
    "damaged": lambda: [damaged()],
    "one-point": lambda: [one_point()],
    "only-training": lambda: [only_training()],
}


def state(name):
    """The report of a state, the same on every machine."""
    held = STATES[name]()
    last = held[0].run.wall_times[1]
    made = build(
        held,
        title="",
        command=f"trainlens report {name}",
        comparison=compared()[1] if name == "comparison" else None,
        now=last + 42.0 if name == "running" else demo.NOW,
        version="0",
    )
    return replace(made, versions={"trainlens": "0"})
