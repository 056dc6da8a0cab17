"""What several rules ask of the learning rates of a run: their schedules, the planned length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from trainlens.run import Run, Series
from trainlens.stats.schedule import Schedule, recognise

TOTALS = (
    "max_steps", "total_steps", "num_training_steps", "max_train_steps", "num_train_steps",
    "train_steps", "total_train_steps", "max_iters", "total_iters", "train_iters", "max_iter",
    "num_iters", "total_iterations", "max_iterations", "max_updates", "num_updates",
    "total_updates",
)  # fmt: skip
EPOCHS = ("max_epochs", "num_train_epochs", "num_epochs", "total_epochs", "n_epochs", "epochs")
PER_EPOCH = ("steps_per_epoch", "iters_per_epoch", "batches_per_epoch", "updates_per_epoch")
_TOTAL = "total_steps"
_MOST_GROUPS = 8
_MOST_SETTINGS = 5000

_known: WeakKeyDictionary[Series, Schedule] = WeakKeyDictionary()


def schedule_of(series: Series) -> Schedule:
    """Schedule of a series, recognised once however many rules ask."""
    if series not in _known:
        curve = series.finite
        _known[series] = recognise(curve.step, curve.value)
    return _known[series]


def groups(run: Run) -> tuple[Series, ...]:
    """The main learning rate of a run, and those of groups that do not just follow it."""
    found = run.with_role("learning-rate")[: 4 * _MOST_GROUPS]
    kept: list[Series] = []
    for series in found:
        if not any(_proportional(series, other) for other in kept):
            kept.append(series)
    return tuple(kept[:_MOST_GROUPS])


def _proportional(a: Series, b: Series) -> bool:
    """Whether two series are the same up to a factor."""
    x, y = a.finite, b.finite
    if len(x) < 2 or len(x) != len(y) or not np.array_equal(x.step, y.step):
        return not len(x) and not len(y)
    at = np.unique(np.linspace(0, len(x) - 1, 2000).astype(np.intp))
    size_x, size_y = float(np.abs(x.value).max()), float(np.abs(y.value).max())
    if not (size_x > 0 and size_y > 0):
        return size_x == size_y
    apart = np.abs(x.value[at] / size_x - y.value[at] / size_y)
    return bool(apart.max() <= 0.01)


def header_total(run: Run) -> float | None:
    """Steps of the training as the planned schedules of the header say, None where they do not.

    ``total_steps`` beside the schedules counts, else the largest in one of them
    (`trainlens.schema`, "Planned schedules").
    """
    plans = run.config.get("schedules")
    if not isinstance(plans, Mapping):
        return None
    within = [spec.get(_TOTAL) for spec in plans.values() if isinstance(spec, Mapping)]
    own = max((_number(total) or 0.0 for total in within), default=0.0)
    total = _number(plans.get(_TOTAL)) or own
    return total if total > 0 else None


def follows_loss(run: Run) -> bool:
    """Whether something lowers the learning rate by what the loss does, as a plateau schedule.

    The plan in the header has it times a factor that is logged, or a setting is named so.
    """
    plans = run.config.get("schedules")
    planned = plans.get("lr") if isinstance(plans, Mapping) else None
    if isinstance(planned, Mapping) and planned.get("times"):
        return True
    return any("plateau" in f"{name} {value}".lower() for name, value in _leaves(run.config))


def planned_total(run: Run, series: Series | None) -> float | None:
    """Steps that the whole training was planned to have, None where the log does not say.

    Parameters
    ----------
    run : Run
    series : Series or None
        In whose steps to count; with points. A plan that it has left behind counts in others.
        None where nothing is logged yet.
    """
    settings = _numbers(run.config)
    last = float(series.span[1]) if series is not None else 0.0
    for total in (*(settings.get(name, 0.0) for name in TOTALS), header_total(run) or 0.0):
        if total > 1 and total >= 0.98 * last:
            return total
    if series is None:
        return None
    return _by_epochs(settings, series, last) or _by_progress(run, last)


def _by_epochs(settings: Mapping[str, float], series: Series, last: float) -> float | None:
    epochs = next((settings[k] for k in EPOCHS if settings.get(k, 0.0) >= 1), 0.0)
    if not epochs:
        return None
    length = next((settings[k] for k in PER_EPOCH if settings.get(k, 0.0) >= 1), 0.0)
    if not length:
        base = series.effective
        known = np.isfinite(base.epoch)
        far = float(base.epoch[known][-1]) if known.any() else 0.0
        length = float(base.step[known][-1]) / far if far >= 3 else 0.0
    total = epochs * length
    return total if total >= 0.98 * last > 0 else None


def _by_progress(run: Run, last: float) -> float | None:
    """From a logged share of the training that is done."""
    for series in run.with_role("progress"):
        if series.metric.rsplit("/", 1)[-1] != "progress":
            continue
        curve = series.finite
        if len(curve) < 2 or float(curve.value.min()) < 0 or float(curve.value.max()) > 1:
            continue
        share, step = float(curve.value[-1]), float(curve.step[-1])
        total = step / share if share > 0.001 else 0.0
        if math.isfinite(total) and total >= 0.98 * last > 0:
            return total
    return None


def _numbers(config: Mapping[str, Any]) -> dict[str, float]:
    """Settings that are numbers, by the last part of their name; the first of a name counts."""
    found: dict[str, float] = {}
    for name, value in _leaves(config):
        key = name.replace("/", ".").rsplit(".", 1)[-1].lower()
        number = _number(value)
        if number is not None:
            found.setdefault(key, number)
    return found


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    held: list[Mapping[str, Any]] = [config]
    seen = 0
    while held and seen < _MOST_SETTINGS:
        for name, value in held.pop(0).items():
            seen += 1
            if isinstance(value, Mapping):
                if name != "schedules":
                    held.append(value)
            else:
                yield str(name), value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value) if len(str(value)) <= 40 else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
