"""Formulas of planned schedules: pure functions of progress.

Each takes the share of the training that is done, within [0, 1], and gives a factor of the base
value. Places within a run (`warmup`, `decay`, `at`, ...) are shares of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR = 1e-12
"""A step at a place has reached it, whatever the rounding of its share of the run."""
_CYCLES = 10_000
"""The most cycles that are laid out."""


class PlanError(ValueError):
    """A planned schedule that cannot be read; the message says why."""


def constant(p: Floats, *, factor: float = 1.0) -> Floats:
    """``factor`` throughout."""
    return np.full_like(p, factor)


def linear_warmup(p: Floats, *, warmup: float = 1.0, start: float = 0.0) -> Floats:
    """``start + (1 - start) p / warmup``, then 1 (Goyal 2017, arXiv:1706.02677)."""
    return start + (1.0 - start) * share(p, 0.0, warmup)


def linear(p: Floats, *, start: float = 1.0, end: float = 0.0) -> Floats:
    """``start + (end - start) p``."""
    return start + (end - start) * p


def cosine(p: Floats, *, end: float = 0.0) -> Floats:
    """``end + (1 - end) (1 + cos(pi p)) / 2`` (Loshchilov 2017, arXiv:1608.03983)."""
    return end + (1.0 - end) * _half_wave(p)


def cosine_restarts(
    p: Floats,
    *,
    cycles: int = 1,
    growth: float = 1.0,
    height: float = 1.0,
    end: float = 0.0,
    first: float | None = None,
) -> Floats:
    """Cosines one after the other (SGDR, Loshchilov 2017, arXiv:1608.03983).

    Each is `growth` times as long and `height` times as high as the one before. There are `cycles`
    of them; or, where `first` says how long the first one is, as many as it takes, and the end of
    the run cuts the last one off (torch's CosineAnnealingWarmRestarts).

    Raises
    ------
    PlanError
        No such number of cycles, a growth of 0 or less, or both `cycles` and `first`.
    """
    if not 1 <= cycles <= _CYCLES or growth <= 0:
        raise PlanError(f"cycles must be 1 to {_CYCLES}, and growth above 0")
    if first is not None and cycles != 1:
        raise PlanError("cosine-restarts takes cycles or first, not both")
    edge = _equal(int(cycles), growth) if first is None else _from_first(first, growth)
    cycle = np.clip(np.searchsorted(edge - NEAR, p, side="right") - 1, 0, len(edge) - 2)
    length = edge[cycle + 1] - edge[cycle]
    # Cycles that shrink to nothing have no length left in floats; they are at their end.
    local = np.where(length > 0, (p - edge[cycle]) / np.where(length > 0, length, 1.0), 1.0)
    return end + (height**cycle - end) * _half_wave(np.clip(local, 0.0, 1.0))


def polynomial(p: Floats, *, power: float = 1.0, end: float = 0.0) -> Floats:
    """``end + (1 - end) (1 - p)^power`` (Chen 2017, arXiv:1606.00915, power 0.9).

    Raises
    ------
    PlanError
        `power` is below 0.
    """
    if power < 0:
        raise PlanError("power must not be below 0")
    return end + (1.0 - end) * (1.0 - p) ** power


def exponential(p: Floats, *, end: float) -> Floats:
    """``end^p``: gamma^N of torch's ExponentialLR, for a run of N steps, is `end`.

    Raises
    ------
    PlanError
        `end` is 0 or less.
    """
    if end <= 0:
        raise PlanError("end must be above 0: an exponential never reaches 0")
    return np.asarray(end**p, np.float64)


def step(p: Floats, *, at: Sequence[float], gamma: float = 0.1) -> Floats:
    """``gamma^k``, k being how many places of `at` are reached (He 2016, arXiv:1512.03385)."""
    reached = np.searchsorted(_ascending(at) - NEAR, p, side="right")
    return np.asarray(float(gamma) ** reached, np.float64)


def inverse_sqrt(p: Floats, *, warmup: float) -> Floats:
    """``p / warmup``, then ``sqrt(warmup / p)`` (Vaswani 2017, arXiv:1706.03762).

    Raises
    ------
    PlanError
        `warmup` is 0 or less.
    """
    if warmup <= 0:
        raise PlanError("warmup must be above 0")
    return np.minimum(p / warmup, np.sqrt(warmup / np.maximum(p, warmup)))


def warmup_stable_decay(
    p: Floats, *, warmup: float = 0.0, decay: float = 0.2, end: float = 0.0, shape: str = "linear"
) -> Floats:
    """Up, constant, and down to `end` within the last `decay` (Hu 2024, arXiv:2404.06395).

    `shape` of the decay is ``linear``, ``cosine`` or ``root`` (1 - sqrt, Haegele 2024,
    arXiv:2405.18392).

    Raises
    ------
    PlanError
        Another shape.
    """
    u = share(p, 1.0 - decay, 1.0)
    down = {"linear": lambda: 1.0 - u, "cosine": lambda: _half_wave(u)}
    # The root falls steeply: a rounding of 1e-16 in the place would be 1e-8 in the value.
    down["root"] = lambda: 1.0 - np.sqrt(np.where(u > NEAR, u, 0.0))
    if shape not in down:
        raise PlanError(f"shape {shape!r} is none of {', '.join(down)}")
    return np.minimum(share(p, 0.0, warmup), end + (1.0 - end) * down[shape]())


def one_cycle(
    p: Floats,
    *,
    warmup: float = 0.3,
    start: float = 0.04,
    end: float = 4e-6,
    shape: str = "cosine",
) -> Floats:
    """From `start` up to 1, then down to `end` (Smith 2018, arXiv:1708.07120; torch's OneCycleLR).

    The base value is the highest one; the defaults are those of torch.

    Raises
    ------
    PlanError
        Another shape.
    """
    if shape not in ("cosine", "linear"):
        raise PlanError(f"shape {shape!r} is none of cosine, linear")
    up, down = share(p, 0.0, warmup), share(p, warmup, 1.0)
    if shape == "cosine":
        up, down = 1.0 - _half_wave(up), 1.0 - _half_wave(down)
    return np.where(p < warmup, start + (1.0 - start) * up, 1.0 + (end - 1.0) * down)


def ramp(
    p: Floats,
    *,
    warmup_end_progress: float = 0.1,
    ramp_duration_progress: float = 0.1,
    start: float = 0.0,
    end: float = 1.0,
) -> Floats:
    """`start` up to warmup_end_progress, then a line to `end` for ramp_duration_progress.

    The ProgressScheduler of BiFusion.
    """
    first = warmup_end_progress
    return start + (end - start) * share(p, first, first + ramp_duration_progress)


def piecewise(
    p: Floats, *, at: Sequence[float], factors: Sequence[float], between: str = "constant"
) -> Floats:
    """Factors between places: ``constant`` (one more than places), or ``linear`` through them.

    Raises
    ------
    PlanError
        The number of factors does not fit that of the places.
    """
    place, factor = _ascending(at), np.asarray(factors, np.float64)
    if between == "linear" and len(factor) == len(place) > 0:
        return _through(p, place, factor)
    if between == "constant" and len(factor) == len(place) + 1:
        return factor[np.searchsorted(place - NEAR, p, side="right")]
    raise PlanError("piecewise takes as many factors as places (linear) or one more (constant)")


def share(p: Floats, first: float, last: float) -> Floats:
    """How far `p` has come from `first` to `last`; 1 from `last` on."""
    if last <= first:
        return np.where(p >= last - NEAR, 1.0, 0.0)
    return np.clip((p - first) / (last - first), 0.0, 1.0)


def _equal(count: int, growth: float) -> Floats:
    """Edges of cycles that fill the run."""
    length = growth ** (np.arange(count) - (count if growth > 1 else 0.0))
    return np.concatenate([[0.0], length.cumsum() / length.sum()])


def _from_first(first: float, growth: float) -> Floats:
    """Edges of cycles up to the one that reaches the end of the run, by the geometric series."""
    if first <= 0:
        raise PlanError("first must be above 0")
    n = np.arange(_CYCLES + 1.0)
    with np.errstate(over="ignore"):
        sums = n if growth == 1 else np.expm1(n * np.log(growth)) / (growth - 1.0)
        edge = np.asarray(first * sums, np.float64)
    last = int(np.searchsorted(edge, 1.0 - NEAR))
    if last > _CYCLES:
        raise PlanError(f"cycles this short do not reach the end of the run within {_CYCLES}")
    return edge[: last + 1]


def _through(p: Floats, place: Floats, factor: Floats) -> Floats:
    """Lines through points; of two points at one place the later one holds from there on."""
    i = np.clip(np.searchsorted(place - NEAR, p, side="right") - 1, 0, None)
    j = np.minimum(i + 1, len(place) - 1)
    width = place[j] - place[i]
    local = np.clip((p - place[i]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    return factor[i] + (factor[j] - factor[i]) * local


def _half_wave(p: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * p))


def _ascending(at: Sequence[float]) -> Floats:
    place = np.asarray(at, np.float64)
    if place.ndim != 1 or (np.diff(place) < 0).any():
        raise PlanError("places must be a list that ascends")
    return place


KINDS: Mapping[str, Callable[..., Floats]] = {
    "constant": constant, "linear-warmup": linear_warmup, "linear": linear, "cosine": cosine,
    "cosine-restarts": cosine_restarts, "polynomial": polynomial, "exponential": exponential,
    "step": step, "inverse-sqrt": inverse_sqrt, "warmup-stable-decay": warmup_stable_decay,
    "one-cycle": one_cycle, "ramp": ramp, "piecewise": piecewise,
}  # fmt: skip
"""Names of the kinds; ``chain`` puts several of them one behind the other."""
