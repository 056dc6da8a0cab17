"""The end of a training that no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from trainlens.errors import UsageError
from trainlens_torch.checks import number, whole
from trainlens_torch.clock import Clock
from trainlens_torch.loop.ranks import of_first
from trainlens_torch.loop.standstill import course, noise_of
from trainlens_torch.place import Place, place
from trainlens_torch.state import packed, unpacked

__all__ = ["EarlyStopping"]

_VERSION = 1
_KEPT = 64  # evaluations by which the noise is known
_PLAIN = ("best", "best_step", "lowest", "lowest_step", "stopped", "reason", "count")
_OWN = ("_best_count", "_best_at", "_bad_row", "_recent")


class EarlyStopping:
    """Says when a training should stop, and does not take noise for an end, or for progress.

    Two things make plain patience fail on noisy evaluations: one lucky value sets a bar that
    healthy training does not pass for long, and a slow improvement is smaller than the noise.
    Here

    - the best is that of medians of `window` evaluations, and a median is better only if it lies
      lower by the noise of a difference of two such medians, and by `min_delta`;
    - when the patience is over, a line is put through the evaluations since the best. The
      training stops if that line, 1.64 of its standard errors up (95 %, one side), falls by less
      than `least` within a patience; where noise hides that, it waits, up to `stretch` times the
      patience.

    The noise is that from evaluation to evaluation, whatever the trend
    (`trainlens.stats.noise.second_difference_noise`, of the last 64)::

        stopping = EarlyStopping("3ep", clock=clock)
        ...
        if stopping.update(validation_loss, step=clock.updates):
            print(stopping.reason)
            break

    Parameters
    ----------
    patience : int or str
        A number of evaluations, or with a clock a length such as ``"3ep"``, ``"2000ba"`` or
        ``"0.1dur"``.
    mode : {"min", "max"}
        Whether less or more is better.
    min_delta : float
        Smallest improvement that counts, in the unit of the value.
    noise : "auto", float or None
        Standard deviation of an evaluation, learnt by default. None is plain patience: any lower
        value is the best, and the training stops at the end of the patience.
    window : int
        Evaluations of a median.
    least : float
        Smallest improvement within a patience that is worth going on for, as a share of the
        level; `min_delta` where that is more.
    stretch : float
        Up to how many times the patience noise may delay the end; 1 or more.
    non_finite : int or None
        So many values in a row that are NaN or infinite end the training. Before that they are
        left out: they are neither best nor count as evaluations. None never stops for them.
    clock : Clock, optional
        Needed for a patience with a unit.
    shared : bool
        In a process group, whether all ranks take the value of rank 0 and so decide alike; all of
        them have to call `update` then.

    Attributes
    ----------
    best, best_step : float or None, int or None
        Lowest (highest) median, and the step of its last evaluation.
    lowest, lowest_step : float or None, int or None
        Best single value, which noise makes look better than the training is, and its step.
    stopped : bool
    reason : str
        Why it stopped; empty before.

    Raises
    ------
    UsageError, TypeError, ValueError
        An unknown mode, a setting outside its range, a patience with a unit but no clock.

    Examples
    --------
    >>> stopping = EarlyStopping(3, noise=None)
    >>> [stopping.update(value) for value in (3.0, 2.0, 2.5, 2.1, 2.2)]
    [False, False, False, False, True]
    >>> stopping.best, stopping.best_step, stopping.reason
    (2.0, 1, 'no improvement on 2 for 3 evaluations')
    """

    def __init__(
        self,
        patience: int | str | Place = 10,
        *,
        mode: Literal["min", "max"] = "min",
        min_delta: float = 0.0,
        noise: Literal["auto"] | float | None = "auto",
        window: int = 5,
        least: float = 0.01,
        stretch: float = 4.0,
        non_finite: int | None = 3,
        clock: Clock | None = None,
        shared: bool = True,
    ) -> None:
        if mode not in ("min", "max"):
            raise UsageError(f'mode is "min" or "max", not {mode!r}')
        self.patience = _patience(patience, clock)
        self.mode, self.clock, self.shared = mode, clock, shared
        self.min_delta = number(min_delta, "min_delta")
        self.noise = noise if noise is None or noise == "auto" else number(noise, "noise")
        self.window = 1 if noise is None else whole(window, "window")
        self.least = number(least, "least")
        self.stretch = 1.0 if noise is None else number(stretch, "stretch", 1.0)
        self.non_finite = None if non_finite is None else whole(non_finite, "non_finite")
        self.best: float | None = None
        self.best_step: int | None = None
        self.lowest: float | None = None
        self.lowest_step: int | None = None
        self.stopped, self.reason, self.count = False, "", 0
        self._recent: list[float] = []
        self._best_count, self._best_at, self._bad_row = 0, 0.0, 0

    def update(self, value: float, step: int | None = None) -> bool:
        """Take one evaluation.

        Parameters
        ----------
        value : float
        step : int, optional
            Of the training; by default the updates of the clock, or the number of evaluations
            before this one.

        Returns
        -------
        bool
            Whether the training should stop. Once it is true it stays so.
        """
        value = of_first(float(value)) if self.shared else float(value)
        if self.stopped:
            return True
        if not math.isfinite(value):
            return self._not_finite(value)
        self._bad_row = 0
        if step is None:
            step = self.count if self.clock is None else self.clock.updates
        self.count += 1
        signed = value if self.mode == "min" else -value
        if self.lowest is None or signed < self._signed(self.lowest):
            self.lowest, self.lowest_step = value, step
        self._recent = [*self._recent, signed][-self._most() :]
        noise = self._noise()
        if self._better(noise):
            self.best, self.best_step = self._level() * (1 if self.mode == "min" else -1), step
            self._best_count, self._best_at = self.count, self._now()
        else:
            self._judge(noise)
        return self.stopped

    @property
    def waited(self) -> float:
        """Patiences since the last improvement; the training stops at 1, or later."""
        if self.best is None:
            return 0.0
        length = self.patience if isinstance(self.patience, int) else self.patience.value
        return (self._now() - self._best_at) / length

    def stats(self) -> dict[str, float]:
        """Numbers for the log."""
        found = {"early_stopping_waited": self.waited}
        if self.best is not None:
            found["early_stopping_best"] = self.best
        return found

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes."""
        values = {name: getattr(self, name) for name in _PLAIN}
        own = {name.lstrip("_"): getattr(self, name) for name in _OWN}
        own["recent"] = list(self._recent)
        return packed("EarlyStopping", _VERSION, self.config(), **values, **own)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Another configuration or version; nothing was changed.
        """
        names = (*_PLAIN, *_OWN)
        keys = [name.lstrip("_") for name in names]
        values = unpacked(state, "EarlyStopping", _VERSION, self.config(), *keys)
        for name, value in zip(names, values, strict=True):
            setattr(self, name, list(value) if name == "_recent" else value)

    def config(self) -> dict[str, Any]:
        """What it was made with, in plain values."""
        names = ("mode", "min_delta", "noise", "window", "least", "stretch", "non_finite")
        patience = self.patience if isinstance(self.patience, int) else str(self.patience)
        return {"patience": patience, **{name: getattr(self, name) for name in names}}

    def __repr__(self) -> str:
        return f"EarlyStopping({self.reason or f'waited {self.waited:.2g} patiences'})"

    def _not_finite(self, value: float) -> bool:
        self._bad_row += 1
        if self.non_finite is not None and self._bad_row >= self.non_finite:
            self._stop(f"{self._bad_row} evaluations in a row were not finite, the last {value}")
        return self.stopped

    def _better(self, noise: float) -> bool:
        if self.best is None:
            return True
        count = min(self.window, len(self._recent))
        # The median of normal values is less sure than their mean, by sqrt(pi / 2).
        margin = max(noise * math.sqrt(math.pi / count), self.min_delta)
        return self._level() < self._signed(self.best) - margin

    def _judge(self, noise: float) -> None:
        """Stop where the patience is over and, by the line since the best, nothing comes."""
        waited = self.waited
        if waited < 1.0:
            return
        said = f"no improvement on {self.best:.6g} for {self._told()}"
        if self.noise is None or waited >= self.stretch:
            self._stop(said)
            return
        since = self.count - self._best_count
        taken = np.array(self._recent[-min(since + self.window, len(self._recent)) :])
        most = course(taken, noise).most(1.645) * since / waited  # within one patience
        wanted = max(self.least * float(np.median(np.abs(taken))), self.min_delta)
        if most < wanted:
            self._stop(f"{said}: it gains at most {most:.3g} within a patience, noise {noise:.3g}")

    def _stop(self, reason: str) -> None:
        self.stopped, self.reason = True, reason

    def _level(self) -> float:
        return float(np.median(self._recent[-self.window :]))

    def _noise(self) -> float:
        if self.noise == "auto":
            return noise_of(np.array(self._recent[-_KEPT:]))
        return 0.0 if self.noise is None else float(self.noise)

    def _signed(self, value: float) -> float:
        return value if self.mode == "min" else -value

    def _most(self) -> int:
        """Evaluations to keep: for the noise, and for the line since the best."""
        return max(_KEPT, self.count - self._best_count + self.window)

    def _now(self) -> float:
        if isinstance(self.patience, int) or self.clock is None:
            return float(self.count)
        clock = self.clock
        return float(
            {
                "dur": clock.progress, "ba": clock.updates, "ep": clock.epoch,
                "sp": clock.samples, "tok": clock.tokens,
            }[self.patience.unit]
        )  # fmt: skip

    def _told(self) -> str:
        if isinstance(self.patience, int):
            return f"{self.count - self._best_count} evaluations"
        return str(Place(self._now() - self._best_at, self.patience.unit))


def _patience(given: int | str | Place, clock: Clock | None) -> int | Place:
    if isinstance(given, int) and not isinstance(given, bool):
        return whole(given, "patience")
    if not isinstance(given, str | Place):
        raise TypeError(f'patience is a number of evaluations or such as "3ep", not {given!r}')
    found = place(given)
    if clock is None:
        raise UsageError(f"a patience of {found} needs a clock")
    if found.value <= 0:
        raise UsageError(f"patience must be above 0, not {given!r}")
    return found
