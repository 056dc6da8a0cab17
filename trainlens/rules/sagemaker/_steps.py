"""What the checks of the profile share: where the first of some series meets a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, passed
from trainlens.run import Run, Series

DOCUMENTED = "SageMaker Debugger, list of built-in rules"


@dataclass(frozen=True, eq=False)
class Looked:
    """A series, and where it lies beyond a limit.

    Parameters
    ----------
    series : Series
    beyond : ndarray of bool, shape (n,)
    value : ndarray of shape (n,), optional
        What was held against the limit, where that is not the logged value itself.
    """

    series: Series
    beyond: NDArray[np.bool_]
    value: NDArray[np.float64] | None = None

    @property
    def at(self) -> NDArray[np.intp]:
        """Indices of the points beyond the limit, in the order of their steps."""
        found = np.flatnonzero(self.beyond)
        if self.series.ascends:
            return found
        return found[np.argsort(self.series.step[found], kind="stable")]

    def held(self, i: int) -> float:
        """What was held against the limit at point `i`."""
        return float((self.series.value if self.value is None else self.value)[i])


def told(
    looked: Sequence[Looked],
    say: Callable[[str, float], str],
    fine: str,
    limits: Mapping[str, float],
    severity: str | None = None,
) -> Finding:
    """One finding about some series, at least one: where it fires, and how often it would.

    Parameters
    ----------
    looked : sequence of Looked
    say : callable
        Metric and value to what is wrong with it.
    fine : str
        What to say where no point lies beyond.
    limits : mapping
        Settings that decided; they become evidence.
    severity : str, optional
        In place of the rule's own.
    """
    hits = [(x, at) for x in looked if len(at := x.at)]
    evidence = {
        **limits,
        "points": sum(len(x.series) for x in looked),
        "points_beyond": sum(len(at) for _, at in hits),
        "series": len(looked),
        "series_beyond": len(hits),
    }
    if not hits:
        return passed(fine, looked[0].series, evidence=evidence)
    first, at = min(hits, key=lambda h: int(h[0].series.step[h[1][0]]))
    step = int(first.series.step[at[0]])
    value = first.held(int(at[0]))
    if np.isfinite(value):
        evidence["value"] = value
    return fail(
        f"{say(first.series.metric, value)} at step {words.step(step)}{_more(hits, looked)}.",
        first.series,
        first_step=step,
        last_step=max(int(x.series.step[i[-1]]) for x, i in hits),
        evidence=evidence,
        severity=severity,
    )


def _more(hits: Sequence[tuple[Looked, NDArray[np.intp]]], looked: Sequence[Looked]) -> str:
    points = sum(len(at) for _, at in hits)
    if points == 1:
        return ", the only such point"
    if len(looked) == 1:
        return f", the first of {words.step(points)} such points"
    names = ", ".join(x.series.metric for x, _ in hits[:5]) + (", …" if len(hits) > 5 else "")
    return (
        f", the first of {words.step(points)} such points in {words.step(len(hits))} of "
        f"{words.step(len(looked))} series ({names})"
    )


def finite(run: Run, *roles: str) -> list[Series]:
    """Series of some roles without NaN and infinities, those without points left out."""
    return [s.finite for role in roles for s in run.with_role(role) if len(s.finite)]


def norms(run: Run, *roles: str) -> list[Series]:
    """As `finite`, without what has values below 0 and so is no norm (a logarithm of one)."""
    return [s for s in finite(run, *roles) if float(s.value.min()) >= 0]


def losses(run: Run) -> list[Series]:
    """The main training loss and the main validation loss, as far as there are any."""
    found: Iterable[Series | None] = (run.main("loss", "train"), run.main("loss", "val"))
    held = [s for s in found if s is not None] or list(run.with_role("loss")[:1])
    return [s.finite for s in held if len(s.finite)]


def shares(series: Series) -> NDArray[np.float64] | None:
    """Values of a share in percent, None for what is no share; logged are 0 to 1 or 0 to 100."""
    value = series.value
    low, high = float(value.min()), float(value.max())
    if low < 0 or high > 100:
        return None
    return value if high > 1 else value * 100.0
