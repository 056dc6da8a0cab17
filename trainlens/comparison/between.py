"""The difference of a candidate and the baseline along a training, of single runs or of seeds."""

from __future__ import annotations

import numpy as np

from trainlens.comparison.alignment import align
from trainlens.comparison.bands import Band, band
from trainlens.comparison.course import Running, apart, running
from trainlens.comparison.model import Arm, Comparison, Row
from trainlens.run import Floats, Ints


def between(comparison: Comparison, row: Row) -> Running | None:
    """Mean difference along the axis with its interval.

    Of two single runs the running mean over neighbouring points; of arms with several runs the
    difference of their means at each place, with Welch's interval over the runs.

    Returns
    -------
    Running, or None where too little matches
        `step` is the place itself, rounded, where arms have several runs.
    """
    arms = {arm.name: arm for arm in comparison.arms}
    left, right = arms[row.baseline], arms[row.candidate]
    if not (left.single and right.single):
        return _of_arms(left, right, comparison, row)
    held = apart(comparison, row)
    return running(held) if held is not None else None


def _of_arms(left: Arm, right: Arm, comparison: Comparison, row: Row) -> Running | None:
    bands = [band(arm, row.key, comparison.by) for arm in (left, right)]
    if not all(len(one) for one in bands):
        return None
    pairs = align(bands[0].at, bands[1].at)
    if not len(pairs):
        return None
    first, second = (_taken(b, i) for b, i in zip(bands, (pairs.left, pairs.right), strict=True))
    mean = second[0] - first[0]
    reach = _welch(first[1], first[2], second[1], second[2])
    step = np.rint(pairs.at).astype(np.int64)
    return Running(pairs.at, step, mean, mean - reach, mean + reach, 1)


def _taken(held: Band, index: Ints) -> list[Floats]:
    """Mean, its squared standard error, and degrees of freedom at some places."""
    n = held.n[index].astype(np.float64)
    return [held.mean[index], held.std[index] ** 2 / n, n - 1]


def _welch(first: Floats, dof: Floats, second: Floats, more: Floats) -> Floats:
    """Reach of the 95 % interval of the difference of two means; NaN where one has one run."""
    from scipy.special import stdtrit

    total = first + second
    with np.errstate(invalid="ignore", divide="ignore"):
        joint = total**2 / (first**2 / dof + second**2 / more)
        reach = np.asarray(stdtrit(joint, 0.975) * np.sqrt(total), np.float64)
    return np.where(total > 0, reach, np.where(total == 0, 0.0, np.nan))
