"""One number for a whole curve: what an expectation is held against, and a table of runs shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median, second_difference_noise


@dataclass(frozen=True)
class Summary:
    """A statistic of a curve.

    Parameters
    ----------
    text : str
        What it is, for people.
    of : callable
        Takes places (steps or epochs) and values, both of shape (n,) and finite, places
        ascending; gives NaN where there are fewer than `least` points.
    least : int
    in_unit : bool
        Whether it has the unit of the values.
    """

    text: str
    of: Callable[[Floats, Floats], float]
    least: int = 1
    in_unit: bool = True


def end(value: Floats) -> float:
    """Where a curve ends: median of its last tenth, of five points at least.

    Examples
    --------
    >>> end(np.array([9.0, 1.0, 2.0, 3.0, 2.0, 1.0]))
    2.0
    """
    return median(value[-max(5, len(value) // 10) :])


def slope(place: Floats, value: Floats) -> float:
    """Slope of the straight line with the least squares; NaN where all stand at one place.

    Examples
    --------
    >>> slope(np.array([0.0, 10.0, 20.0]), np.array([3.0, 2.0, 1.0]))
    -0.1
    """
    away = place - float(np.mean(place))
    spread = float(away @ away)
    return float(away @ (value - float(np.mean(value)))) / spread if spread else float("nan")


def mean(value: Floats) -> float:
    """Mean of values of any size; their sum may be larger than the largest float."""
    with np.errstate(over="ignore"):
        found = float(np.mean(value))
    if np.isfinite(found):
        return found
    size = float(np.abs(value).max())
    return float(np.mean(value / size)) * size


def std(value: Floats) -> float:
    """Standard deviation with n - 1, of two or more values of any size."""
    if value.min() == value.max():
        return 0.0  # to the last bit: the mean of one number is not always that number
    size = float(np.abs(value).max())
    return float(np.std(value / size, ddof=1)) * size


def _change(place: Floats, value: Floats) -> float:
    return end(value) - median(value[: max(5, len(value) // 10)])


def _percentile(share: float, place: Floats, value: Floats) -> float:
    # Without interpolation: an extreme value is not made less so.
    return float(np.quantile(value, share, method="higher" if share > 0.5 else "lower"))


def _over_median(share: float, place: Floats, value: Floats) -> float:
    usual = median(value)
    return _percentile(share, place, value) / usual if usual else float("nan")


SUMMARIES: Mapping[str, Summary] = {
    "first": Summary("first finite value", lambda x, y: float(y[0])),
    "last": Summary("last finite value", lambda x, y: float(y[-1])),
    "end": Summary("median of the last tenth, of five points at least", lambda x, y: end(y)),
    "min": Summary("smallest finite value", lambda x, y: float(y.min())),
    "max": Summary("largest finite value", lambda x, y: float(y.max())),
    "mean": Summary("mean of the finite values", lambda x, y: mean(y)),
    "median": Summary("median of the finite values", lambda x, y: median(y)),
    "std": Summary(
        "standard deviation of the finite values, n - 1", lambda x, y: std(y), 2
    ),
    **{
        f"p{percent}": Summary(f"{percent}th percentile", partial(_percentile, percent / 100))
        for percent in (5, 10, 90, 95, 99)
    },
    "noise": Summary(
        "noise from point to point: 1.4826 MAD of second differences / sqrt(6)",
        lambda x, y: second_difference_noise(y),
        4,
    ),
    "slope": Summary("slope of the least squares, a step or an epoch", slope, 2, False),
    "change": Summary("end less start, the start taken like the end", _change, 2),
    "rise": Summary("largest value less the first", lambda x, y: float(y.max() - y[0])),
    "falls": Summary(
        "how many values lie below the one before", lambda x, y: float((y[1:] < y[:-1]).sum()),
        2, False,
    ),
    "max/median": Summary(
        "largest value over the median", partial(_over_median, 1.0), 1, False
    ),
    "p99/median": Summary(
        "99th percentile over the median", partial(_over_median, 0.99), 1, False
    ),
}  # fmt: skip
"""Statistics by the name that expectations use."""


def summary(name: str, place: Floats, value: Floats) -> float:
    """A statistic of a curve.

    Parameters
    ----------
    name : str
        One of `SUMMARIES`.
    place : ndarray of shape (n,), ascending
    value : ndarray of shape (n,), finite

    Returns
    -------
    float
        NaN with fewer points than the statistic needs.
    """
    asked = SUMMARIES[name]
    if len(value) < asked.least:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        return asked.of(place, value)
