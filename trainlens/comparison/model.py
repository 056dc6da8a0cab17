"""What a comparison of runs consists of: data only, made by the rest of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainlens.chunk import Notice
from trainlens.comparison.figures import (
    Alignment,
    At,
    Contrast,
    Failure,
    Interval,
    Replicates,
    Summary,
    Variances,
)
from trainlens.notebook import Shown

if TYPE_CHECKING:
    import pandas as pd

    from trainlens.comparison.expectations import Judged
    from trainlens.run import Run

__all__ = [
    "AXES",
    "VERDICTS",
    "Alignment",
    "Arm",
    "At",
    "Caution",
    "Comparison",
    "Contrast",
    "Failure",
    "Gap",
    "GapTable",
    "Interval",
    "Key",
    "Replicates",
    "Row",
    "Setting",
    "Summary",
    "Variances",
]

VERDICTS = ("better", "worse", "indistinguishable", "cannot-judge")
AXES = ("step", "epoch", "time", "samples")
"""What runs are aligned by: optimizer updates, epochs, seconds since the first point, samples."""
Key = tuple[str, str]
"""Metric and split."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One side of a comparison: a run, or several runs that differ in their seeds alone.

    Parameters
    ----------
    name : str
    runs : tuple of Run
        At least one.
    seeds : tuple of str
        Of each run, empty where its configuration names none.
    """

    name: str
    runs: tuple[Run, ...]
    seeds: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it is one run."""
        return len(self.runs) == 1


@dataclass(frozen=True, eq=False)
class Row:
    """One metric of a candidate against the baseline.

    Parameters
    ----------
    metric, split, unit : str
    direction : str
        ``min``, ``max`` or ``""`` where it is not known which is better.
    baseline, candidate : str
        Names of the arms.
    summaries : (Summary, Summary)
    alignment : Alignment or None
        Of two single runs.
    at : tuple of At
    difference : Contrast or None
        Over all matched points (all runs, where arms have several).
    late : Contrast or None
        Over the last half of the matched points: what the end of training says.
    variance : Variances or None
    replicates : Replicates or None
        Where arms have several runs.
    verdict : str
        One of `VERDICTS`.
    because : str
        One sentence.
    q : float
        Smallest false discovery rate at which the difference counts among all metrics of the
        comparison (Benjamini and Hochberg); NaN where it was not tested.
    failed : (Failure or None, Failure or None)
        How the baseline and the candidate failed, of single runs; where one did, that decides.
    """

    metric: str
    split: str
    unit: str
    direction: str
    baseline: str
    candidate: str
    summaries: tuple[Summary, Summary]
    alignment: Alignment | None = None
    at: tuple[At, ...] = ()
    difference: Contrast | None = None
    late: Contrast | None = None
    variance: Variances | None = None
    replicates: Replicates | None = None
    verdict: str = "cannot-judge"
    because: str = ""
    q: float = float("nan")
    failed: tuple[Failure | None, Failure | None] = (None, None)

    @property
    def key(self) -> Key:
        """Metric and split."""
        return self.metric, self.split


@dataclass(frozen=True)
class Gap:
    """Generalization gap of two sides at one step: validation minus train, same metric.

    Parameters
    ----------
    step : float
    baseline, candidate : float
        NaN where a run lacks one of the two.
    """

    step: float
    baseline: float
    candidate: float

    @property
    def change(self) -> float:
        """Candidate minus baseline; what rounding alone leaves of equal gaps is 0."""
        change = self.candidate - self.baseline
        return 0.0 if abs(change) <= 1e-9 * abs(self.baseline) else change


@dataclass(frozen=True)
class GapTable:
    """Generalization gaps of a metric, for a candidate against the baseline.

    `split` is the one that training is taken from; of arms with several runs the means over them.
    """

    metric: str
    unit: str
    baseline: str
    candidate: str
    rows: tuple[Gap, ...]
    split: str = "val"


@dataclass(frozen=True)
class Caution:
    """Why a comparison may not be fair.

    Parameters
    ----------
    kind : str
        ``length``, ``schedule``, ``validation-data``, ``seed``, ``batch-size``,
        ``attempts``, ``non-finite``, ``coverage``, ``runs`` (left out), ``replicates``.
    candidate : str
        Which candidate, empty for all.
    message : str
    """

    kind: str
    candidate: str
    message: str


@dataclass(frozen=True)
class Setting:
    """A setting that differs: its dotted name, and its value in each arm (None where absent)."""

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Comparison(Shown):
    """A baseline and one or more candidates.

    Parameters
    ----------
    arms : tuple of Arm
        The baseline first.
    by : str
        One of `AXES`.
    rows : tuple of Row
        Most telling metric first; for each metric the candidates in order.
    gaps : tuple of GapTable
    config_diff : tuple of Setting
    cautions : tuple of Caution
    expectations : tuple of Judged
    notices : tuple of Notice
    """

    arms: tuple[Arm, ...]
    by: str
    rows: tuple[Row, ...]
    gaps: tuple[GapTable, ...] = ()
    config_diff: tuple[Setting, ...] = ()
    cautions: tuple[Caution, ...] = ()
    expectations: tuple[Judged, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def baseline(self) -> str:
        """Name of the baseline."""
        return self.arms[0].name

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the candidates."""
        return tuple(arm.name for arm in self.arms[1:])

    @property
    def of_groups(self) -> bool:
        """Whether a side has several runs."""
        return not all(arm.single for arm in self.arms)

    def of(self, candidate: str) -> tuple[Row, ...]:
        """The rows of one candidate."""
        return tuple(row for row in self.rows if row.candidate == candidate)

    def frame(self) -> pd.DataFrame:
        """One row a metric and candidate; see `trainlens.comparison.frames.rows`."""
        from trainlens.comparison import frames

        return frames.rows(self)

    def at_frame(self) -> pd.DataFrame:
        """One row a metric, candidate and chosen step; see `trainlens.comparison.frames.at`."""
        from trainlens.comparison import frames

        return frames.at(self)

    def matched_frame(self, metric: str, split: str = "val") -> pd.DataFrame:
        """Every matched point of a metric; see `trainlens.comparison.frames.matched`."""
        from trainlens.comparison import frames

        return frames.matched(self, metric, split)
