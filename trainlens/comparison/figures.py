"""The numbers that a comparison of two runs consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainlens.chunk import Floats, Ints


@dataclass(frozen=True)
class Interval:
    """A confidence interval; infinite ends where nothing bounds it."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Summary:
    """A metric of one arm, over all of its finite points (of several runs: of their scores).

    Parameters
    ----------
    n : int
        Points; runs of an arm with several.
    mean, std : float
        `std` with n - 1 in the denominator; NaN with fewer than two.
    min, max, last : float
    min_step, max_step, last_step : int
    best, best_step : float, int
        The better extreme, by the direction of the metric; NaN and -1 without one.
    best_windowed, best_windowed_step : float, int
        Best mean of `window` neighbouring points: a best that no single lucky point makes.
    window : int
    area : float
        Mean of the curve over its axis (trapezoids over the span): area under the curve divided
        by the span, so that it has the unit of the metric.
    reached : mapping of threshold to float or None
        First place on the axis at which the metric is at or beyond a threshold and stays there
        for two points; None where the log ends before (censored at `last_at`).
    last_at : float
        Where the log ends on the axis.
    """

    n: int
    mean: float
    std: float
    min: float
    min_step: int
    max: float
    max_step: int
    last: float
    last_step: int
    best: float
    best_step: int
    best_windowed: float
    best_windowed_step: int
    window: int
    area: float
    last_at: float
    reached: Mapping[float, float | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Alignment:
    """The points of two series that belong together.

    Parameters
    ----------
    at : ndarray of float64, shape (n,)
        Places on the axis, ascending: those of the baseline.
    left, right : ndarray of int64, shape (n,)
        Indices into the two series.
    exact : int
        Pairs at the very same place; the others are nearest neighbours within half a logging
        interval.
    shares : (float, float)
        Share of the points of each series that found a partner.
    of : (int, int)
        Points of each series.
    why : str
        Why there is none, in words; empty where there is one.
    """

    at: Floats
    left: Ints
    right: Ints
    exact: int
    shares: tuple[float, float]
    of: tuple[int, int]
    why: str = ""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class At:
    """Two runs at one place.

    Parameters
    ----------
    step : float
        Where, on the axis.
    baseline, candidate : float
        NaN where a run has no point within half a logging interval.
    delta, percent : float
        Candidate minus baseline, also as share (0.27 is 27 %) of the baseline.
    interval : Interval or None
        Of the difference, by the noise of single points of both.
    """

    step: float
    baseline: float
    candidate: float
    delta: float
    percent: float
    interval: Interval | None


@dataclass(frozen=True)
class Contrast:
    """A mean difference, candidate minus baseline, and how sure it is.

    Parameters
    ----------
    mean : float
    interval : Interval
        At 95 %, autocorrelation taken into account.
    n : int
        Matched points; runs, where arms have several.
    n_effective : float
        Independent ones that tell as much.
    rho : float
        Lag-1 autocorrelation of the differences.
    p : float
        Two-sided.
    needed : int or None
        Points (runs) at which a difference of this size would count at 5 %; None where it does.
    method : str
        In words, for the small print.
    """

    mean: float
    interval: Interval
    n: int
    n_effective: float
    rho: float
    p: float
    needed: int | None = None
    method: str = ""


@dataclass(frozen=True)
class Failure:
    """How a run ended that did not come back.

    Parameters
    ----------
    step : int
        First step that shows it.
    told : str
        In words, to be put behind "is".
    """

    step: int
    told: str


@dataclass(frozen=True)
class Variances:
    """Whether two curves scatter alike.

    Parameters
    ----------
    std : (float, float)
        Standard deviations of all points.
    ratio : float
        Of the variances, candidate by baseline.
    p : float
        Brown-Forsythe on the innovations of an AR(1) process: trend and memory taken out.
    needed : int or None
        Independent evaluations a run at which this ratio would count at 5 %; None where it does.
    """

    std: tuple[float, float]
    ratio: float
    p: float
    needed: int | None


@dataclass(frozen=True)
class Replicates:
    """Several runs against several runs, on one score a run.

    Parameters
    ----------
    scores : (tuple of float, tuple of float)
        Of the runs of the baseline and of the candidate.
    paired : int
        Pairs of the same seed; 0 where runs were not paired.
    iqm : (float, float)
        Interquartile means.
    iqm_intervals : (Interval, Interval)
        Stratified bootstrap.
    improvement : float
        Probability that a run of the candidate beats one of the baseline (Mann-Whitney).
    improvement_interval : Interval
    failed : (tuple of str, tuple of str)
        Runs of both that failed, how each did; their scores are infinite, on the bad side, so
        that every run that did not fail beats them.
    """

    scores: tuple[tuple[float, ...], tuple[float, ...]]
    paired: int
    iqm: tuple[float, float]
    iqm_intervals: tuple[Interval, Interval]
    improvement: float
    improvement_interval: Interval
    failed: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
