"""Where to look: series by the words of their names, settings by their last part, windows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainlens.roles import normalise
from trainlens.run import Run, Series

_DEEPEST = 8


def named(run: Run, words: str) -> tuple[Series, ...]:
    """Series with points whose name holds one of some words, in the order of the log.

    Parameters
    ----------
    run : Run
    words : str
        A regular expression for whole words of the normalised name: ``loss_scale|grad_scale``.
    """
    pattern = re.compile(f"_(?:{words})_")
    return tuple(s for s in run.series.values() if len(s) and pattern.search(normalise(s.metric)))


def setting(run: Run, *names: str) -> tuple[str, Any] | None:
    """First setting of the configuration whose last part is one of `names`: (its name, value)."""
    wanted = {normalise(n) for n in names}
    for key, value in settings(run.config):
        if normalise(re.split(r"[./]", key)[-1]) in wanted and value not in (None, ""):
            return key, value
    return None


def number_set(run: Run, *names: str) -> tuple[str, float] | None:
    """As `setting`, where the value is a finite number (or a text that is one)."""
    found = setting(run, *names)
    if found is None or isinstance(found[1], bool):
        return None
    try:
        value = float(found[1])
    except (TypeError, ValueError):
        return None
    return (found[0], value) if np.isfinite(value) else None


def settings(config: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[Any]:
    """Every setting as (dotted name, value)."""
    for key, value in config.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from settings(value, name, depth + 1)
        else:
            yield name, value


def points_back(series: Series, step: int, points: int) -> int:
    """Step of the point so many logged points before a step; the first step where there is none."""
    base = series.effective
    if not len(base):
        return step
    at = int(np.searchsorted(base.step, step))
    return int(base.step[max(at - points, 0)])


def place(run: Run, step: int) -> float:
    """Where a step lies within the run, 0 to 1."""
    if run.steps is None or run.steps[1] <= run.steps[0]:
        return 0.0
    first, last = run.steps
    return min(max((step - first) / (last - first), 0.0), 1.0)


def value_at(series: Series, step: int) -> float | None:
    """Last finite value at or before a step, None without one."""
    base = series.finite
    at = int(np.searchsorted(base.step, step, "right")) - 1
    return float(base.value[at]) if at >= 0 else None
