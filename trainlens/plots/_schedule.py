"""A recognised schedule as a curve again, and in the few words that a title has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from trainlens import words
from trainlens.run import Floats, Series
from trainlens.stats.outline import level_runs, outline, turns
from trainlens.stats.schedule import Schedule
from trainlens.stats.shapes import fit, thinned

_FAR = 0.02
"""Root mean square from the log, as share of the peak, from which a curve is not shown."""
_NAMES = {
    "cosine-restarts": "cosine with restarts", "inverse-sqrt": "inverse square root",
    "warmup-stable-decay": "stable, then decay", "one-cycle": "one cycle",
}  # fmt: skip

Shape = Callable[[Floats], Floats]
SHAPES: dict[str, Shape] = {
    "linear": lambda u: 1.0 - u,
    "cosine": lambda u: 0.5 + 0.5 * np.cos(np.pi * u),
    "root": lambda u: 1.0 - np.sqrt(u),
    "square": lambda u: 1.0 - u**2,
}
"""Falls from 1 to 0 over a stretch."""


def named(found: Schedule, last: int) -> str:
    """Family, warmup, peak, end and restarts, the most telling first, between middle dots.

    Parameters
    ----------
    found : Schedule
    last : int
        Last step of the log.

    Examples
    --------
    >>> named(Schedule("cosine", warmup=500.0, peak=1e-3, floor=1e-5, horizon=900.0), 900)
    'cosine · warmup 500 · peak 0.001 · floor 1e−5'
    """
    if found.family == "unknown":
        return "no known schedule"
    parts = [_family(found)]
    if found.warmup and found.family != "ramp":
        parts.append(f"{'curved ' * found.curved}warmup {words.step(max(round(found.warmup), 1))}")
    if found.family == "constant":
        return " · ".join([*parts, words.number(found.peak, 3)])
    parts.append(f"peak {words.number(found.peak, 3)}")
    if found.family != "ramp":
        parts.append(_lowest(found, last))
    if found.restarts:
        parts.append(words.plural(len(found.restarts), "restart"))
    return " · ".join(parts)


def _family(found: Schedule) -> str:
    if found.family == "step":
        return words.plural(found.levels, "level")
    if found.family == "polynomial":
        return f"polynomial, power {words.number(found.power, 2)}"
    return _NAMES.get(found.family, found.family)


def _lowest(found: Schedule, last: int) -> str:
    """The floor, or where the log ends before it, the last value."""
    ends = found.horizon is not None and found.horizon <= 1.02 * last
    if not ends and found.family not in ("step", "cyclic", "cosine-restarts"):
        return f"last {words.number(found.last, 3)}"
    low = found.floor if found.floor > 1e-7 * found.peak else 0.0
    return f"floor {words.number(low, 3)}"


def fitted(found: Schedule, series: Series) -> tuple[Floats, Floats] | None:
    """The curve of a recognised schedule over the steps of its log.

    Parameters
    ----------
    found : Schedule
    series : Series
        Finite, one value a step, steps ascending: what was recognised.

    Returns
    -------
    step, value : ndarray of shape (m,), m at most some 600
        None where the family is unknown, or the parameters known of it do not give the log.
    """
    if found.family == "unknown" or len(series) < 3:
        return None
    thin = outline(series.step.astype(np.float64), series.value / found.peak, 0.0)
    x, y = thin.x, thin.y
    if found.family in ("cosine-restarts", "cyclic"):
        made = _between_turns(x, y)
    elif found.family == "step":
        made = _levels(y)
    else:
        made = _parts(found, x, y)
    error = float(np.sqrt(np.mean((made - y) ** 2)))
    return (x, made * found.peak) if error <= _FAR else None


def _parts(found: Schedule, x: Floats, y: Floats) -> Floats:
    """Warmup, hold and fall, one behind the other."""
    made = np.ones(len(x))
    begin, top = _rise(found, x, y)
    # A rise may begin late.
    made[x < begin] = y[0]
    rising = (x >= begin) & (x < top)
    if rising.any():
        made[rising] = _mirrored(x[rising], y[rising], top)
    if found.family in ("constant", "ramp"):
        made[x >= top] = float(np.median(y[x >= top])) if (x >= top).any() else 1.0
        return made
    falling = x >= (top if found.decay_start is None else found.decay_start)
    end = found.horizon
    tail = falling & (x > end) if end is not None else np.zeros(len(x), bool)
    falling &= ~tail
    if falling.sum() >= 2:
        made[falling] = _fall(found, x[falling], y[falling])
        made[tail] = float(np.median(y[tail])) if tail.any() else 0.0
    return made


def _rise(found: Schedule, x: Floats, y: Floats) -> tuple[float, float]:
    """Steps at which the warmup begins and ends."""
    if not found.warmup:
        return float(x[0]), float(x[0])
    # It begins with the last of the lowest values before the peak.
    peak = int(np.argmax(y >= y.max() - 1e-9))
    begin = peak - int(np.argmin(y[: peak + 1][::-1]))
    return float(x[begin]), float(x[begin] + found.warmup)


def _mirrored(x: Floats, y: Floats, top: float) -> Floats:
    """A rise to 1 at `top`, of the shape that fits it best."""
    u = np.clip((top - x) / max(top - float(x[0]), 1e-300), 0.0, 1.0)
    low = float(y[0])
    # The ends are known: what rises is a fall seen from behind.
    return _best(y, (low + (1.0 - low) * shape(u) for shape in SHAPES.values()))


def _fall(found: Schedule, x: Floats, y: Floats) -> Floats:
    if found.family == "inverse-sqrt":
        # 1 / y^2 is a straight line.
        slope, start = np.polyfit(x - x[0], 1.0 / np.maximum(y, 1e-9) ** 2, 1)
        return np.asarray(np.maximum(start + slope * (x - x[0]), 1e-18) ** -0.5)
    if found.family == "exponential":
        told = fit("exponential", x, y)
        t = (x - x[0]) / max(float(x[-1] - x[0]), 1e-300)
        return np.asarray(told.floor + (told.peak - told.floor) * np.exp(-told.falls * t))
    start = float(x[0]) if found.decay_start is None else found.decay_start
    length = max((found.horizon or float(x[-1])) - start, 1e-300)
    u = np.clip((x - start) / length, 0.0, 1.0)
    if found.family == "polynomial":
        return _scaled((1.0 - u) ** found.power, y)
    if found.family in ("linear", "cosine"):
        return _scaled(SHAPES[found.family](u), y)
    return _best(y, (_scaled(shape(u), y) for shape in SHAPES.values()))


def _scaled(basis: Floats, y: Floats) -> Floats:
    """``floor + swing * basis`` by least squares."""
    table = np.stack([np.ones(len(y)), basis], axis=1)
    return np.asarray(table @ np.linalg.lstsq(table, y, rcond=None)[0])


def _best(y: Floats, tried: Iterable[Floats]) -> Floats:
    return min(tried, key=lambda made: float(np.square(made - y).sum()))


def _between_turns(x: Floats, y: Floats) -> Floats:
    """Stretches from turn to turn, each of the shape that fits it best; the last one may be cut."""
    made, at = y.copy(), turns(y)
    for a, b in pairwise(at):
        part, cut = slice(a, b + 1), b == at[-1] and y[b] < y[a]
        # A restart takes a point or two: nothing to fit.
        if b - a < 3:
            continue
        length = _whole(x[part], y[part]) if cut else float(x[b] - x[a])
        u = (x[part] - x[a]) / length
        if y[b] > y[a]:
            u = 1.0 - u
        made[part] = _best(y[part], (_scaled(SHAPES[s](u), y[part]) for s in ("linear", "cosine")))
    return made


def _whole(x: Floats, y: Floats) -> float:
    """Length of a fall that the log may cut off."""
    length = float(x[-1] - x[0])
    if len(x) < 6:
        return length
    told = fit("cosine", *thinned(x, y))
    return length * max(told.horizon, 1.0) if np.isfinite(told.error) else length


def _levels(y: Floats) -> Floats:
    """The level of each step of a staircase; its warmup stays as it is."""
    made = y.copy()
    for begin, length in zip(*level_runs(np.round(y, 6)), strict=True):
        if length > 1:
            made[begin : begin + length] = np.median(y[begin : begin + length])
    return made
