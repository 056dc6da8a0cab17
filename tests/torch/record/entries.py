"""Entries and targets for the tests of sinks."""

import itertools
import math

from trainlens_torch.record.entry import Entry
from trainlens_torch.record.sinks import Target

CONFIG = {"lr": 0.1, "optim": {"name": "adam", "betas": [0.9, 0.99]}, "seed": None, "amp": True}
SCHEDULES = {"lr": {"kind": "cosine", "points": [[0, 1.0], [1, 0.0]]}}


def target(folder, **more):
    """A target with a clock that ticks once a call."""
    ticks = itertools.count(1_700_000_000)
    given = {"config": CONFIG, "schedules": SCHEDULES, "total": 1000.0} | more
    return Target(folder=folder, run="Lauf ü", clock=lambda: float(next(ticks)), **given)


def entries(first=1, last=30):
    """A log with NaN and infinities, a late name, two splits, an anomaly and epochs."""
    found = []
    for i in range(first, last + 1):
        losses = {"total": 1.1 / i, "loss_theta": math.nan if i == 3 else 0.083}
        stats = {"lr": 1e-4 / i, "dropout": 0.0} | ({"late": -math.inf} if i > 10 else {})
        odd = ({"type": "loss_spike", "value": 3.5, "message": "far"}, "low coverage: 0.2")
        found.append(Entry(i, 1.7e9 + i, losses, stats, "train", i / 8, None, odd[: 2 * (i == 5)]))
        if i % 10 == 0:
            found.append(Entry(i, 1.7e9 + i + 0.5, {"total": 2.2 / i}, {"mpjpe": 55.5}, "val"))
    return found


def expected(logged):
    """By name and split: steps, values and times."""
    found = {}
    for entry in logged:
        odd = {}
        for a in entry.anomalies:
            odd |= (
                {"anomalies/loss_spike": 3.5}
                if isinstance(a, dict)
                else {"anomalies/low_coverage": 1.0}
            )
        for name, value in (entry.losses | entry.stats | odd).items():
            found.setdefault((name, entry.split), []).append((entry.step, value, entry.time))
    return {key: tuple(zip(*rows, strict=True)) for key, rows in found.items()}
