"""Where training stands while a text log is read: steps across epochs, lines without a step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from trainlens.chunk import Floats, Ints
from trainlens.readers._text.line import Line


class Place:
    """Completes lines in the order in which they are read.

    A counter that falls while the epoch rises counts within the epoch: from then on the steps
    of earlier epochs are added; so does a bar that was full and begins again. Lines of other
    splits than training stand at the last training step.
    """

    def __init__(self) -> None:
        self._step: int | None = None
        self._epoch: float | None = None
        self._split: str | None = None
        self._raw: int | None = None
        self._raw_epoch: float | None = None
        self._gap = 1
        self._first_epoch: float | None = None
        self._per_epoch: int | None = None
        self._epochs: int | None = None
        self._over_epochs = False
        self._said = False
        self._bar = ""
        self._bar_used = False
        self._filled_bars = 0

    def complete(self, line: Line) -> bool:
        """Give a line its step, epoch and split; whether it holds points then."""
        if line.bar.startswith("/") and not self._is_main(line):
            return False
        own, self._said = line.placed, line.epoch is not None
        if line.epoch is not None:
            self._epoch = line.epoch
            self._first_epoch = line.epoch if self._first_epoch is None else self._first_epoch
        elif self._epoch is not None:
            line.epoch = self._epoch
        if line.step is not None:
            line.step = self._take(line)
        elif self._step is not None:
            line.step = self._step + (self._epochs_away(line) if own else 0)
        if own:
            self._split = line.split
        else:
            line.split = line.split or self._split
        if not line.pairs:
            # "Test Error:" announces the split of the lines below it.
            self._split = line.split
            return False
        if own:
            self._bar_used = True
            return True
        known = line.step is not None or line.epoch is not None
        fits = line.telling and line.filled and known and not line.damaged
        self._bar_used = self._bar_used or fits
        return fits

    def _epochs_away(self, line: Line) -> int:
        """Steps between the last counted one and a line that names another epoch only."""
        if self._per_epoch is None or self._raw_epoch is None or line.epoch is None:
            return 0
        return int(line.epoch - self._raw_epoch) * self._per_epoch

    def _is_main(self, line: Line) -> bool:
        """Whether an unlabelled bar counts training steps: others are nested in it.

        The first one does, unless a longer one begins before anything was said beside it.
        """
        longer = not self._bar_used and int(line.bar[1:]) > int(self._bar[1:] or 0)
        if not self._bar or longer:
            self._bar = line.bar
        return self._bar == line.bar

    def planned(self, line: Line) -> int | None:
        """Planned training steps by a line that counts to a total, None where it does not tell.

        Call it before `complete`.
        """
        self._epochs = line.epochs or self._epochs
        if not line.steps or line.split not in (None, "train") or self._filled_bars:
            return None
        if line.bar.startswith("/") and not self._is_main(line):
            return None
        if (line.epoch is None and self._epoch is None) or self._over_epochs:
            return line.steps
        return line.steps * self._epochs if self._epochs else None

    @property
    def stepless(self) -> bool:
        """Whether no line said a step so far."""
        return self._step is None

    def counts(self, bar: str) -> bool:
        """Whether a bar that was seen already counts training steps."""
        return not bar.startswith("/") or self._bar == bar

    def many_epochs(self, epoch: Floats, split: str | None) -> None:
        """What `complete` does for n lines of training that say their epoch, and no line a step.

        Parameters
        ----------
        epoch : ndarray of float64, shape (n,)
        split : str or None
        """
        self._first_epoch = float(epoch[0]) if self._first_epoch is None else self._first_epoch
        self._epoch, self._split, self._bar_used = float(epoch[-1]), split, True

    def many(
        self,
        step: Ints,
        epoch: Floats | None,
        steps: int | None,
        split: str | None,
        bar: bool = False,
    ) -> tuple[Ints, Floats]:
        """What `complete` does to the steps of n lines of training that all say their step.

        Parameters
        ----------
        step : ndarray of int64, shape (n,)
        epoch : ndarray of float64, shape (n,), or None
            None where the lines have none.
        steps : int or None
            The total to which the steps of all n lines count.
        split : str or None
            None or ``"train"``.
        bar : bool
            Whether they are states of a bar whose count rises throughout.

        Returns
        -------
        step : ndarray of int64, shape (n,)
        epoch : ndarray of float64, shape (n,)
            NaN where it is unknown.
        """
        if epoch is not None:
            self._first_epoch = float(epoch[0]) if self._first_epoch is None else self._first_epoch
        at = epoch
        if at is None:
            at = np.full(len(step), np.nan if self._epoch is None else self._epoch)
        result = step.copy()
        for begin, end in self._stretches(step, at):
            self._watch(int(step[begin]), float(at[begin]), steps, False)
            if end - begin > 1:
                self._gap = int(self._last_rise(step[begin:end]))
            if self._per_epoch is not None and not np.isnan(at[begin]):
                past = (at[begin:end] - (self._first_epoch or 0.0)).astype(np.int64)
                result[begin:end] += past * self._per_epoch
            elif bar and np.isnan(at[begin]):
                result[begin:end] += self._filled_bars
            self._raw = int(step[end - 1])
        self._step, self._split = int(result[-1]), split
        self._epoch = None if np.isnan(at[-1]) else float(at[-1])
        self._raw_epoch = self._epoch
        self._bar_used = True
        return result, at

    def _last_rise(self, step: Ints) -> int:
        # Mostly it is the last one.
        for part in (step[-9:], step):
            rise = part[1:] - part[:-1]
            rise = rise[rise > 0]
            if len(rise):
                return int(rise[-1])
        return self._gap

    @staticmethod
    def _stretches(step: Ints, epoch: Floats) -> list[tuple[int, int]]:
        """Runs of lines of one epoch."""
        turns = np.flatnonzero((epoch[1:] != epoch[:-1]) & ~np.isnan(epoch[1:])) + 1
        return list(pairwise([0, *turns.tolist(), len(step)]))

    def _take(self, line: Line) -> int:
        raw = line.step or 0
        counts = line.split in (None, "train")
        if not counts and line.steps is not None and self._step is not None:
            return self._step
        if counts:
            self._watch(raw, self._epoch, line.steps, bool(line.bar))
        step = raw
        if self._per_epoch is not None and self._epoch is not None:
            step += int(self._epoch - (self._first_epoch or 0.0)) * self._per_epoch
        elif self._epoch is None and line.bar:
            step += self._filled_bars
        if counts or self._step is None:
            self._step = step
        return step

    def _watch(self, raw: int, epoch: float | None, total: int | None, bar: bool) -> None:
        before, epoch_before = self._raw, self._raw_epoch
        rose = epoch_before is not None and epoch is not None and epoch > epoch_before
        again = bar and not self._said and raw not in (0, total)
        if rose and raw == before and (again or (bar and self._over_epochs)):
            # A bar is shown anew after a line that told the epoch.
            return
        if before is not None and rose and raw <= before:
            self._per_epoch = total or max(self._per_epoch or 0, before + max(0, self._gap - raw))
        elif before is not None and raw > before:
            self._gap = raw - before
            self._over_epochs = self._over_epochs or rose
        if bar and epoch is None and before is not None and before == total and raw < before:
            self._filled_bars += total
        self._raw, self._raw_epoch = raw, epoch
