"""Where training stands while a text log is read: steps across epochs, lines without a step."""

from __future__ import annotations

from trainlens.readers._text.line import Line


class Place:
    """Completes lines in the order in which they are read.

    A counter that falls while the epoch rises counts within the epoch: from then on the steps
    of earlier epochs are added. Lines of other splits than training stand at the last training
    step.
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

    def complete(self, line: Line) -> bool:
        """Give a line its step, epoch and split; whether it holds points then."""
        own = line.placed
        if line.epoch is not None:
            self._epoch = line.epoch
            self._first_epoch = line.epoch if self._first_epoch is None else self._first_epoch
        elif self._epoch is not None:
            line.epoch = self._epoch
        if line.step is not None:
            line.step = self._take(line)
        elif self._step is not None:
            line.step = self._step
        if own:
            self._split = line.split
        else:
            line.split = line.split or self._split
        if not line.pairs:
            return False
        if own:
            return True
        return line.telling and line.filled and (line.step is not None or line.epoch is not None)

    def planned(self, line: Line) -> int | None:
        """Planned training steps by a line that counts to a total, None where it does not tell.

        Call it before `complete`.
        """
        self._epochs = line.epochs or self._epochs
        if not line.steps or line.split not in (None, "train"):
            return None
        if (line.epoch is None and self._epoch is None) or self._over_epochs:
            return line.steps
        return line.steps * self._epochs if self._epochs else None

    def _take(self, line: Line) -> int:
        raw = line.step or 0
        counts = line.split in (None, "train")
        if not counts and line.steps is not None and self._step is not None:
            return self._step
        if counts:
            self._watch(raw, line.steps)
        step = raw
        if self._per_epoch is not None and self._epoch is not None:
            step += int(self._epoch - (self._first_epoch or 0.0)) * self._per_epoch
        if counts or self._step is None:
            self._step = step
        return step

    def _watch(self, raw: int, total: int | None) -> None:
        before, epoch = self._raw, self._raw_epoch
        rose = epoch is not None and self._epoch is not None and self._epoch > epoch
        if before is not None and rose and raw <= before:
            self._per_epoch = total or max(self._per_epoch or 0, before + self._gap)
        elif before is not None and raw > before:
            self._gap = raw - before
            self._over_epochs = self._over_epochs or rose
        self._raw, self._raw_epoch = raw, self._epoch
