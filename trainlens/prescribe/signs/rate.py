"""What the logged learning rate says about a moment or about the whole run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.run import Run, Series

_JUMP = 1.5
"""A learning rate this many times the one before, that was not rising, has jumped."""


@dataclass(frozen=True)
class Move:
    """A change of the learning rate at a step."""

    step: int
    before: float
    after: float

    @property
    def times(self) -> float:
        """How many times the old value."""
        return self.after / self.before if self.before > 0 else float("inf")


def rate_of(run: Run) -> Series | None:
    """The finite learning rates of the main parameter group, None where they are not logged."""
    series = run.main("learning-rate")
    if series is None or not len(series.finite):
        return None
    held = series.finite
    return held if float(held.value.min()) >= 0 else None


def jump(run: Run, first: int, last: int) -> Move | None:
    """The largest upward jump of the learning rate at steps `first` to `last`, None without one.

    A value that had been level or falling for two points and then is 1.5 times as large or more:
    a warmup, which rises all the time, is none.
    """
    held = rate_of(run)
    if held is None or len(held) < 3:
        return None
    value, step = held.value, held.step
    times = np.ones(len(value))
    low = value[1:-1]
    level = (low <= value[:-2] * 1.02) & (low > 0)
    times[2:][level] = np.minimum(value[2:][level] / low[level], 1e300)
    inside = (step >= first) & (step <= last) & (times >= _JUMP)
    at = np.flatnonzero(inside)
    if not len(at):
        return None
    best = int(at[np.argmax(times[at])])
    return Move(int(step[best]), float(value[best - 1]), float(value[best]))


def warmup_end(run: Run) -> int | None:
    """Step at which a warmup first reaches its peak, None where the run has none.

    A rise over at least three points from below half of the value it ends at.
    """
    held = rate_of(run)
    if held is None or len(held) < 4:
        return None
    value = held.value
    falls = np.flatnonzero(np.diff(value) < 0)
    end = int(falls[0]) if len(falls) else len(value) - 1
    end = int(np.argmax(value[: end + 1] >= 0.999 * value[end]))
    if end < 2 or value[0] >= 0.5 * value[end] or end == len(value) - 1:
        return None
    return int(held.step[end])


def starts_high(run: Run) -> bool | None:
    """Whether the first logged learning rate is already the largest one; None where unknown."""
    held = rate_of(run)
    if held is None or run.steps is None:
        return None
    first, last = run.steps
    if held.step[0] - first > 0.02 * max(last - first, 1):
        return None  # what came before the first record is not known
    return bool(held.value[0] >= 0.95 * held.value.max())


def low_since(run: Run, share: float = 0.1) -> int | None:
    """First step since which the learning rate stays below a share of its peak, None if never."""
    held = rate_of(run)
    if held is None or held.value.max() <= 0:
        return None
    high = np.flatnonzero(held.value >= share * held.value.max() * 0.999)
    after = int(high[-1]) + 1
    return int(held.step[after]) if after < len(held) else None


def constant(run: Run) -> float | None:
    """The learning rate where it never changes, None where it does or is not logged."""
    held = rate_of(run)
    if held is None or held.value.max() > 1.02 * held.value.min():
        return None
    return float(held.value[-1])
