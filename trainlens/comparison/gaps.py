"""Generalization gaps of two runs side by side: validation minus train, same metric and place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trainlens.comparison.axis import placed
from trainlens.comparison.model import Arm, Gap, GapTable, Key
from trainlens.run import Floats, Run


def gap_tables(
    baseline: Arm, candidate: Arm, keys: Sequence[Key], places: Sequence[float], by: str
) -> tuple[GapTable, ...]:
    """The gaps of every metric that both runs have for training and for validation.

    Parameters
    ----------
    baseline, candidate : Arm
        Of one run each; of arms with several runs the first is shown.
    keys : sequence of (metric, split)
        Metrics of the comparison.
    places : sequence of float
        Where on the axis.
    by : str
    """
    first, second = baseline.runs[0], candidate.runs[0]
    found = []
    for metric, split in keys:
        if split == "train" or not all(_has(run, metric, split) for run in (first, second)):
            continue
        gaps = [gaps_at(run, metric, split, places, by).tolist() for run in (first, second)]
        rows = [Gap(at, *both) for at, *both in zip(places, *gaps, strict=True)]
        kept = tuple(r for r in rows if not (math.isnan(r.baseline) and math.isnan(r.candidate)))
        if kept:
            unit = second[metric, split].unit
            found.append(GapTable(metric, unit, baseline.name, candidate.name, kept))
    return tuple(found)


def _has(run: Run, metric: str, split: str) -> bool:
    return all((metric, s) in run.series and len(run[metric, s].finite) for s in ("train", split))


def gaps_at(run: Run, metric: str, split: str, places: Sequence[float], by: str = "step") -> Floats:
    """Validation minus train at some places, NaN where one of them has no point near it."""
    wanted = np.array(places, np.float64)
    own, train = [placed(run, run[metric, s], by).near(wanted) for s in (split, "train")]
    return own - train
