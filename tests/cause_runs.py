"""Runs whose faults have causes that the log shows, and what an adviser says of them."""

import numpy as np

import trainlens
from trainlens.prescribe import Case, advise
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown

N = 600
STEP = np.arange(N)


def a_run(config=None, epoch=None, **series):
    columns = []
    for name, given in series.items():
        step, value = given if isinstance(given, tuple) else (np.arange(len(given)), given)
        n = len(step)
        held = unknown(n) if epoch is None else epoch(np.asarray(step))
        name = name.replace("__", "/")
        columns.append(
            Column(name, np.asarray(step, np.int64), np.asarray(value, float), unknown(n), held)
        )
    return Run("r", "r", "synthetic").extend(Chunk(tuple(columns), config or {}))


def noise(seed=0, n=N, scale=0.01):
    return scale * np.random.default_rng(seed).standard_normal(n)


def falling(seed=0, n=N):
    return 3 / (1 + np.arange(n)) ** 0.3 * (1 + noise(seed, n))


def flat(level=3.43):
    return np.full(N, level) * (1 + noise(1, scale=0.002))


def weighed(run, rule, first=None, last=None, metric="loss", split="train", **more):
    finding = Finding(rule, Status.FAIL, Severity.ERROR, metric, split, first, last, "x", **more)
    return advise(Case(run, (finding,)), finding)


def found(run, rule):
    """The finding of a rule in a whole diagnosis."""
    held = [f for f in trainlens.diagnose(run).findings if f.rule == rule]
    assert held, f"{rule} did not fire"
    return held[0]


def texts(advice):
    return [h.text for h in advice.ranked]
