"""Generalization gaps of two sides: validation minus train, same metric and place."""

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
    """The gaps of every metric that both sides have for training and for validation.

    Parameters
    ----------
    baseline, candidate : Arm
        Of several runs the mean is taken, of those that have a gap at a place.
    keys : sequence of (metric, split)
        Metrics of the comparison.
    places : sequence of float
        Where on the axis.
    by : str
    """
    found = []
    for metric, split in keys:
        sides = [[r for r in arm.runs if _has(r, metric, split)] for arm in (baseline, candidate)]
        if split == "train" or not all(sides):
            continue
        gaps = [_mean([gaps_at(r, metric, split, places, by) for r in runs]) for runs in sides]
        rows = [Gap(at, *both) for at, *both in zip(places, *gaps, strict=True)]
        kept = tuple(r for r in rows if not (math.isnan(r.baseline) and math.isnan(r.candidate)))
        if kept:
            unit = sides[1][0][metric, split].unit
            found.append(GapTable(metric, unit, baseline.name, candidate.name, kept, split))
    return tuple(found)


def _mean(gaps: Sequence[Floats]) -> list[float]:
    """Mean over runs at each place, NaN where no run has a gap."""
    held = np.array(gaps, np.float64)
    known = np.isfinite(held)
    count = known.sum(0)
    total = np.where(known, held, 0.0).sum(0)
    mean: list[float] = np.where(count > 0, total / np.maximum(count, 1), np.nan).tolist()
    return mean


def _has(run: Run, metric: str, split: str) -> bool:
    return all((metric, s) in run.series and len(run[metric, s].finite) for s in ("train", split))


def gaps_at(run: Run, metric: str, split: str, places: Sequence[float], by: str = "step") -> Floats:
    """Validation minus train at some places, NaN where one of them has no point near it."""
    wanted = np.array(places, np.float64)
    own, train = [placed(run, run[metric, s], by).near(wanted) for s in (split, "train")]
    return own - train
