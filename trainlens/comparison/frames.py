"""A comparison as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainlens.comparison.alignment import align
from trainlens.comparison.axis import placed
from trainlens.comparison.model import Comparison, Row

if TYPE_CHECKING:
    import pandas as pd


def rows(comparison: Comparison) -> pd.DataFrame:
    """One row a metric and candidate: summaries of both, difference, interval, verdict.

    Columns: metric, split, unit, direction, baseline, candidate, n, n_effective, mean_baseline,
    mean_candidate, std_baseline, std_candidate, best_baseline, best_candidate, last_baseline,
    last_candidate, difference, low, high, p, late, late_low, late_high, variance_ratio,
    variance_p, q, verdict, because. NaN where something is unknown.
    """
    import pandas as pd

    return pd.DataFrame([_row(row) for row in comparison.rows])


def _row(row: Row) -> dict[str, Any]:
    held: dict[str, Any] = {
        "metric": row.metric,
        "split": row.split,
        "unit": row.unit,
        "direction": row.direction,
        "baseline": row.baseline,
        "candidate": row.candidate,
        "n": row.difference.n if row.difference else 0,
        "n_effective": row.difference.n_effective if row.difference else np.nan,
    }
    for field in ("mean", "std", "best", "last"):
        for side, summary in zip(("baseline", "candidate"), row.summaries, strict=True):
            held[f"{field}_{side}"] = getattr(summary, field)
    for look, names in (
        (row.difference, ("difference", "low", "high")),
        (row.late, ("late", "late_low", "late_high")),
    ):
        values = (look.mean, look.interval.low, look.interval.high) if look else (np.nan,) * 3
        held |= dict(zip(names, values, strict=True))
    held["p"] = row.difference.p if row.difference else np.nan
    held["variance_ratio"] = row.variance.ratio if row.variance else np.nan
    held["variance_p"] = row.variance.p if row.variance else np.nan
    return held | {"q": row.q, "verdict": row.verdict, "because": row.because}


def at(comparison: Comparison) -> pd.DataFrame:
    """One row a metric, candidate and chosen place.

    Columns: metric, split, candidate, step, baseline_value, candidate_value, delta, percent (a
    share: 0.27 is 27 %), low, high.
    """
    import pandas as pd

    names = ["metric", "split", "candidate", "step", "baseline_value", "candidate_value", "delta",
             "percent", "low", "high"]  # fmt: skip
    held = [
        (row.metric, row.split, row.candidate, a.step, a.baseline, a.candidate, a.delta, a.percent,
         a.interval.low if a.interval else np.nan, a.interval.high if a.interval else np.nan)
        for row in comparison.rows
        for a in row.at
    ]  # fmt: skip
    return pd.DataFrame(held, columns=names)


def matched(comparison: Comparison, metric: str, split: str = "val") -> pd.DataFrame:
    """Every matched point of a metric, of single runs.

    Columns: candidate, at (place on the axis), baseline_value, candidate_value, difference.

    Raises
    ------
    KeyError
        No arm of the comparison has such a metric.
    """
    import pandas as pd

    first = comparison.arms[0].runs[0]
    held = []
    for arm in comparison.arms[1:]:
        if not arm.single or (metric, split) not in arm.runs[0].series:
            continue
        left = placed(first, first[metric, split], comparison.by)
        right = placed(arm.runs[0], arm.runs[0][metric, split], comparison.by)
        found = align(left.at, right.at)
        a, b = left.value[found.left], right.value[found.right]
        held.append(
            pd.DataFrame(
                {
                    "candidate": arm.name,
                    "at": found.at,
                    "baseline_value": a,
                    "candidate_value": b,
                    "difference": b - a,
                }
            )
        )
    if not held:
        raise KeyError(f"no candidate has {split}/{metric}")
    return pd.concat(held, ignore_index=True)
