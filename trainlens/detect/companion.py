"""What the training loss did where validation became worse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect.base import Ints
from trainlens.run import Run
from trainlens.stats.noise import median
from trainlens.stats.rolling import rolling_median

_LEAST_RISE = 0.05
"""Share of its level by which a training loss must rise to have become worse as well."""
_LEAST_BURST = 0.2
"""The same for five points in a row, which lie high by chance more often than medians of many."""


@dataclass(frozen=True)
class Companion:
    """The training loss before and after a step.

    Parameters
    ----------
    before, after : float
        Medians of its points over the last two intervals between evaluations, and since then up to
        one evaluation later; or of the highest five in a row between the evaluation before and
        this one, where these alone were high: a spike that was over by then.
    rose : bool
        `after` lies above nearly all of the points before, and well above their median.
    calm : bool
        It went on as before: `after` is no higher than the upper half of the points before.
    """

    before: float
    after: float
    rose: bool
    calm: bool

    def explains(self, share: float, *, of_loss: bool) -> bool:
        """Whether it rose so much that a worsening of validation is no wonder.

        Parameters
        ----------
        share : float
            Worsening of an evaluation, as a share of the one before.
        of_loss : bool
            Whether that is of a loss, so that half as much is asked; else a fifth is.
        """
        if not self.rose:
            return False
        rise = (self.after - self.before) / abs(self.before) if self.before else 1.0
        return rise >= (0.5 * share if of_loss else 0.2)


def training_at(run: Run, evaluated: Ints, i: int) -> Companion | None:
    """The training loss around evaluation `i`, where validation changed.

    Parameters
    ----------
    run : Run
    evaluated : ndarray of int64, shape (n,)
        Steps of the evaluations, ascending.
    i : int
        At least 1: the change lies between evaluations i - 1 and i.

    Returns
    -------
    Companion, or None without a training loss, or with fewer than 3 points of it before or none
    since
    """
    loss = run.main("loss", "train")
    if loss is None or not 1 <= i < len(evaluated):
        return None
    held = loss.finite
    edges = evaluated[[max(i - 3, 0), i - 1, min(i + 1, len(evaluated) - 1)]]
    a, b, c = np.searchsorted(held.step, edges, "right").tolist()
    if i < 3:  # the interval before the first evaluation
        a = 0 if i == 1 else int(np.searchsorted(held.step, edges[0], "left"))
    before, after = held.value[a:b], held.value[b:c]
    if len(before) < 3 or not len(after):
        return None
    level, now = median(before), median(after)
    most, usual = np.quantile(before, [0.95, 0.75])
    rose = now > most and now - level > _LEAST_RISE * abs(level)
    if not rose:
        upto = int(np.searchsorted(held.step, evaluated[i], "right"))
        burst = float(np.max(rolling_median(held.value[b:upto], 5)[4:], initial=-np.inf))
        if rose := burst - level > max(3 * (usual - level), _LEAST_BURST * abs(level)):
            now = burst
    return Companion(level, now, bool(rose), bool(now <= usual))
