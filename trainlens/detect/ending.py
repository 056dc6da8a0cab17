"""Whether a run has come to its end, as far as its log tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainlens.run import Run

_PLAN = re.compile(
    r"^(max|total|num)_(train_|training_)?(steps|iters|iterations|updates|epochs)$|"
    r"^(train_|training_)(steps|iters|iterations)$|^epochs$"
)
_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


def finished(run: Run) -> bool:
    """Whether the log says that the run has come to its end."""
    if run.ended is not None:
        return True
    for key in ("mlflow", "mlflow_run"):
        about = run.config.get(key)
        if isinstance(about, Mapping) and about.get("status") in _ENDED:
            return True
    for s in run.with_role("progress"):
        if s.metric.endswith("progress") and len(s.finite) and s.finite.value[-1] >= 0.999:
            return True
    done = (run.steps[1] if run.steps else 0, _epoch(run))
    return any(
        done["epoch" in name] >= planned - (1 if "epoch" in name else 0)
        for name, planned in _plans(run.config)
    )


def _epoch(run: Run) -> float:
    known = [float(np.nanmax(s.epoch)) for s in run.training_series if np.isfinite(s.epoch).any()]
    return max(known, default=-1.0)


def _plans(config: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, float]]:
    """Steps or epochs that the configuration plans."""
    for key, value in config.items():
        if isinstance(value, Mapping) and depth < 4:
            yield from _plans(value, depth + 1)
        elif isinstance(value, int | float) and value > 1 and _PLAN.match(str(key)):
            yield str(key), float(value)
