"""What a log shows, in the few words that the facts about a training need."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.noise import Floats
from trainlens.run import Run


class Curves:
    """Series of a run by metric and split.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def values(self, metric: str = "loss", split: str = "train") -> Floats:
        """All values as logged, shape (n,); empty if there are none."""
        found = [s for s in self.run.series.values() if (s.metric, s.split) == (metric, split)]
        return found[0].value if found else np.zeros(0)

    def at(self, step: int, metric: str = "loss", split: str = "train") -> float:
        """Median of the 11 points around a step."""
        (series,) = [s for s in self.run.series.values() if (s.metric, s.split) == (metric, split)]
        place = int(np.searchsorted(series.step, step))
        return float(np.median(series.value[max(0, place - 5) : place + 6]))

    def start(self, metric: str = "loss", split: str = "train") -> float:
        """Median of the first three points."""
        return float(np.median(self.values(metric, split)[:3]))

    def end(self, metric: str = "loss", split: str = "train") -> float:
        """Median of the last tenth, three points at least; NaN if any of it is not finite."""
        value = self.values(metric, split)
        return float(np.median(value[-max(3, len(value) // 10) :]))

    def best(self, metric: str = "loss", split: str = "train") -> float:
        """Lowest median of as many points in a row as `end` takes; infinite without numbers."""
        value = self.values(metric, split)
        width = max(3, len(value) // 10)
        windows = np.lib.stride_tricks.sliding_window_view(value, min(width, len(value)))
        middle = np.median(windows, axis=1)
        return float(np.min(middle[np.isfinite(middle)], initial=np.inf))

    def most(self, metric: str = "loss", split: str = "train") -> float:
        """Highest value."""
        return float(self.values(metric, split).max())

    def finite(self) -> bool:
        """Whether every logged number is one."""
        return all(bool(np.isfinite(s.value).all()) for s in self.run.series.values())

    def learned(self, share: float = 0.7) -> bool:
        """Whether the loss ends below a share of its beginning."""
        return self.end() < share * self.start()


def healthy(curves: Curves) -> dict[str, bool]:
    """What every twin must show."""
    held = {"all numbers are finite": curves.finite(), "the loss falls": curves.learned()}
    # Near: by two fifths of the level, or by a fiftieth of where it began.
    near = max(0.4 * curves.best(), 0.02 * curves.start())
    held["the training loss ends near its best"] = curves.end() - curves.best() <= near
    if len(curves.values("loss", "val")):
        level = curves.end("loss", "val")
        held["validation ends near its best"] = level <= 1.1 * curves.best("loss", "val")
    return held
