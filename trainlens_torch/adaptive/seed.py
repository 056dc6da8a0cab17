"""Fixed rules in the unit of the loss: boost a stall, lower what no longer improves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainlens_torch.adaptive.decision import Wish

__all__ = ["Bounds", "FixedRules", "falls"]

_SURE = 1.645
_LEAST_BETTER = 1e-4


@dataclass(frozen=True)
class Bounds:
    """Limits of the factor.

    Parameters
    ----------
    low, high : float
        Smallest and largest factor.
    step : float
        A fall of the factor by no more than this is none.
    """

    low: float
    high: float
    step: float

    def of(self, factor: float, by: float) -> float:
        """`factor` times `by`, within the limits; `factor` itself where they leave no change.

        A factor that lies beyond a limit already is not brought back by it: a rate is never
        raised in order to lower it.
        """
        if by > 1.0:
            return max(min(factor * by, self.high), factor)
        wanted = max(factor * by, self.low)
        return wanted if factor - wanted > self.step else factor


def falls(losses: Sequence[float]) -> tuple[bool, float, float]:
    """Whether losses fall, by the slope of the line of least squares through them.

    Returns
    -------
    falling : bool
        The slope lies below 0 by more than 1.645 of its standard errors (one side, 5 %).
    slope, error : float
        Per evaluation, and its standard error with n - 2 degrees of freedom.
    """
    y = np.asarray(losses, np.float64)
    n = len(y)
    away = np.arange(n) - (n - 1) / 2
    spread = n * (n * n - 1) / 12
    with np.errstate(over="ignore", invalid="ignore"):  # of losses near 1e308 nothing is said
        rest = y - y.mean()
        slope = float(away @ rest) / spread
        left = rest - slope * away
        error = math.sqrt(float(left @ left) / (n - 2) / spread)
    return slope < -_SURE * error, slope, error


@dataclass
class FixedRules:
    """The three rules, in this order; the first that applies decides.

    1. The variance of the last `window` losses is below `threshold`, and they do not fall: times
       `boost`.
    2. `no_improvement` evaluations without a new best loss: times `decay`.
    3. More than `patience` evaluations without one, as torch's ReduceLROnPlateau counts them:
       times `factor`.

    A new best lies below the former by 1e-4 of its size. Every change empties the window and the
    count of rule 2, so that no two changes come from the same losses; the count of rule 3 goes on
    unless the change is a boost or that count had run out. A rule that a limit leaves no change
    gives way to the next.
    """

    threshold: float
    window: int
    boost: float
    decay: float
    no_improvement: int
    patience: int
    factor: float
    _losses: list[float] = field(default_factory=list)
    _best: float = math.inf
    _since: int = 0
    _bad: int = 0

    def judge(self, loss: float, now: float, bounds: Bounds) -> Wish:
        """Take one finite loss, at the factor `now`."""
        self._count(loss)
        for rule in (self._stalled, self._not_improved, self._plateau):
            by, reason = rule()
            wanted = bounds.of(now, by) if reason else now
            if wanted != now:
                self._changed(by)
                return Wish(wanted, reason, by)
        return Wish(None, f"no rule applies; {self._since} evaluations since the best loss")

    def values(self) -> dict[str, Any]:
        """State in plain values."""
        return {
            "losses": list(self._losses),
            "best": self._best,
            "since": self._since,
            "bad": self._bad,
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Take the values that `values` gave."""
        self._losses = list(values["losses"])
        self._best, self._since, self._bad = values["best"], values["since"], values["bad"]

    def _count(self, loss: float) -> None:
        self._losses = [*self._losses, loss][-self.window :]
        # Of a negative loss, better is lower as well: torch's best * (1 - 1e-4) lies above it.
        if loss < self._best * (1.0 - math.copysign(_LEAST_BETTER, self._best)):
            self._best, self._since, self._bad = loss, 0, 0
        else:
            self._since += 1
            self._bad += 1

    def _changed(self, by: float) -> None:
        self._losses, self._since = [], 0
        if by == self.boost or self._bad > self.patience:
            self._bad = 0

    def _stalled(self) -> tuple[float, str]:
        if len(self._losses) < self.window:
            return 1.0, ""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = float(np.mean(self._losses)), float(np.var(self._losses))
        falling, slope, error = falls(self._losses)
        if not variance < self.threshold or falling:
            return 1.0, ""
        return self.boost, (
            f"stalled at {mean:.6g}: the variance of {self.window} losses is {variance:.3g}, below "
            f"{self.threshold:g}, and their slope {slope:.3g} +- {error:.2g} is no fall"
        )

    def _not_improved(self) -> tuple[float, str]:
        if self._since < self.no_improvement:
            return 1.0, ""
        return self.decay, (
            f"no improvement in {self._since} evaluations: the best loss is {self._best:.6g}"
        )

    def _plateau(self) -> tuple[float, str]:
        if self._bad <= self.patience:
            return 1.0, ""
        return self.factor, (
            f"plateau: {self._bad} evaluations without a loss below {self._best:.6g}, more than "
            f"the patience of {self.patience}"
        )
