"""Decisions by evidence: where the loss stands still, another rate is tried and judged."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from trainlens_torch.adaptive.decision import Wish
from trainlens_torch.adaptive.evidence import Stall, Verdict, against, blown_up, faster, stall
from trainlens_torch.adaptive.history import Floats, History
from trainlens_torch.adaptive.seed import Bounds

__all__ = ["Evidence"]

UP, DOWN = 1, -1
_NEXT_LOOK = 1.15
_REPEATED = 2


@dataclass
class _Trial:
    """A rate that is tried.

    Parameters
    ----------
    direction : int
        `UP` or `DOWN`.
    home : float
        Factor to go back to.
    before : list of float
        Losses at that factor, which those of the trial are held against.
    climbing : bool
        A higher rate has shown its worth, and a still higher one is tried: it has to be faster.
    losses : list of float
        At the rate that is tried.
    search : bool
        The loss has never fallen: the right rate may be far away.
    """

    direction: int
    home: float
    before: list[float]
    search: bool = False
    climbing: bool = False
    losses: list[float] = field(default_factory=list)


@dataclass
class Evidence:
    """Watches one loss, and tries other rates where it stands still.

    - **Watching.** At 20 losses at one rate, and whenever there are 15 % more of them, `stall` is
      asked. A loss that fell and stopped is first given a lower rate (it may lie on the floor of
      its noise), one that has not fallen a higher one; what fails is followed by the other.
    - **Trying.** A rate `step` times as high or low is held against the losses before, after half
      a window and a whole one. Lower by evidence: kept. Not so: back to the rate before. Where
      the loss has never fallen, a higher rate that does neither good nor harm is raised further,
      up to the limit. After a higher one that did good the next is tried, and kept if the loss
      falls faster for it. Three losses in
      a row far above the level end a trial at once.
    - **Resting.** Where neither helped, the next look is 4 windows later, then 8, 16, ...; after
      `trials` trials that failed there is none.
    - **Going back.** Should the loss rise for two windows above what it had come down to after a
      higher rate was kept, the rate before that is put back.

    Parameters
    ----------
    window : int
        Evaluations by which a trial is judged.
    step : float
        Above 1.
    trials : int
        Trials that may fail in the whole run.
    """

    window: int
    step: float
    trials: int
    _history: History = field(init=False)
    _trial: _Trial | None = None
    _look: int = 0
    _settling: int = 0
    _tried: list[int] = field(default_factory=list)
    _kept: int = 0
    _failed: int = 0
    _rests: int = 0
    _return_to: float | None = None
    _lowest: list[float] = field(default_factory=list)
    _risen: int = 0

    def __post_init__(self) -> None:
        self._history = History(self.window)
        self._look = self.window

    def judge(self, loss: float, now: float, bounds: Bounds) -> Wish:
        """Take one finite loss, at the factor `now`."""
        if self._trial is not None:
            return self._try(self._trial, loss, now, bounds)
        if self._settling:
            self._settling -= 1
            return Wish(None, "settling after a trial")
        self._history.add(loss)
        return self._gone_up(now) or self._watch(now, bounds)

    def values(self) -> dict[str, Any]:
        """State in plain values."""
        out = {key: getattr(self, key) for key in _PLAIN}
        lists = {key: list(getattr(self, key)) for key in ("_tried", "_lowest")}
        trial = None if self._trial is None else asdict(self._trial)
        return {**out, **lists, "history": self._history.values(), "trial": trial}

    def restore(self, values: dict[str, Any]) -> None:
        """Take the values that `values` gave."""
        history = History.of(self.window, values["history"])
        trial = values["trial"]
        if trial is not None:
            copied = {**trial, "before": list(trial["before"]), "losses": list(trial["losses"])}
            trial = _Trial(**copied)
        plain = {key: values[key] for key in _PLAIN}
        self._tried, self._lowest = list(values["_tried"]), list(values["_lowest"])
        self._history, self._trial = history, trial
        for key, value in plain.items():
            setattr(self, key, value)

    # Watching ------------------------------------------------------------------------------

    def _watch(self, now: float, bounds: Bounds) -> Wish:
        seen = self._history.count
        if self._failed >= self.trials:
            return Wish(None, f"no more trials after {self._failed} that did not help")
        if seen < self._look:
            return Wish(None, f"watching: next look at {self._look} losses at this rate")
        self._look = max(seen + 1, math.ceil(seen * _NEXT_LOOK))
        found = stall(self._history.curve)
        if found is None:
            return Wish(None, f"no standstill seen in {seen} losses at this rate")
        how, said = found
        for direction in self._order(how):
            wanted = bounds.of(now, self.step**direction)
            if wanted != now:
                search = direction == UP and how is Stall.NEVER_FELL
                why = f"the loss {how.value}: {said}"
                return self._begin(_Trial(direction, now, [], search), wanted, why)
        return self._rest(f"the loss {how.value}, and neither rate is left to try")

    def _order(self, how: Stall) -> list[int]:
        first = self._kept or (UP if how is Stall.NEVER_FELL else DOWN)
        # The higher rate that a lower one has just been better than needs no trial.
        both = [first] if self._kept == DOWN and not self._rests else [first, -first]
        return [one for one in both if one not in self._tried]

    def _begin(self, trial: _Trial, wanted: float, why: str) -> Wish:
        trial.before = self._history.last.tolist()
        self._trial = trial
        word = "higher" if trial.direction == UP else "lower"
        return Wish(wanted, f"trial of a {word} rate: {why}", self.step**trial.direction)

    def _rest(self, why: str) -> Wish:
        self._tried, self._rests = [], self._rests + 1
        self._look = self._history.count + self.window * 2 ** (self._rests + 1)
        return Wish(None, f"{why}; resting until {self._look} losses at this rate")

    # Trying --------------------------------------------------------------------------------

    def _try(self, trial: _Trial, loss: float, now: float, bounds: Bounds) -> Wish:
        trial.losses.append(loss)
        before, losses = np.array(trial.before), np.array(trial.losses)
        if trial.direction == UP and blown_up(before, losses):
            if trial.climbing:
                return self._keep(trial, trial.home, now, "the still higher rate blew the loss up")
            return self._give_up(trial, "the loss blew up")
        whole = len(losses) >= self.window
        if trial.climbing:
            return self._climb(trial, before, losses, now, bounds) if whole else _TRYING
        if not whole and len(losses) != max(self.window // 2, 6):
            return _TRYING
        verdict, said = against(before, losses)
        if verdict is Verdict.BETTER:
            return self._succeed(trial, now, bounds, said)
        if verdict is Verdict.WORSE:
            return self._give_up(trial, f"the loss is worse for it: {said}")
        wanted = bounds.of(now, self.step) if trial.search else now
        if wanted == now:
            if verdict is Verdict.UNCLEAR and not whole:
                return _TRYING
            return self._give_up(trial, f"the loss is no better for it: {said}")
        trial.losses = []
        return Wish(wanted, f"neither good nor harm ({said}): a still higher rate", self.step)

    def _climb(
        self, trial: _Trial, before: Floats, losses: Floats, now: float, bounds: Bounds
    ) -> Wish:
        if not faster(before, losses, now / trial.home):
            return self._keep(trial, trial.home, now, "the loss falls no faster at a higher one")
        return self._succeed(trial, now, bounds, "the loss falls faster")

    def _succeed(self, trial: _Trial, now: float, bounds: Bounds, said: str) -> Wish:
        """A rate has shown its worth: keep it, and of a higher one try the next."""
        wanted = bounds.of(now, self.step) if trial.direction == UP else now
        if wanted == now:
            return self._keep(trial, now, now, said)
        self._note_return(trial, now)
        self._trial = _Trial(UP, now, trial.losses, climbing=True)
        return Wish(wanted, f"it helps ({said}): a still higher rate is tried", self.step)

    def _note_return(self, trial: _Trial, now: float) -> None:
        if trial.direction == UP:
            # A search has come by rates that were left for higher ones: the last of them.
            self._return_to, self._risen = max(trial.home, now / self.step), 0
            self._lowest = trial.losses[-self.window :]

    def _keep(self, trial: _Trial, factor: float, now: float, why: str) -> Wish:
        """End a trial with a rate that has shown its worth."""
        if factor == now:
            self._note_return(trial, now)
        self._start_over(trial.direction)
        if factor != now:
            self._settling = self.window // 2
            return Wish(factor, f"back to the rate before, which is kept: {why}")
        for loss in trial.losses:
            self._history.add(loss)
        return Wish(None, f"the rate is kept: {why}")

    def _start_over(self, kept: int) -> None:
        self._trial, self._history = None, History(self.window)
        self._look, self._tried, self._rests, self._kept = self.window, [], 0, kept

    def _give_up(self, trial: _Trial, why: str) -> Wish:
        self._trial, self._settling = None, self.window // 2
        self._failed += 1
        self._tried.append(trial.direction)
        self._look = self._history.count + 1
        return Wish(trial.home, f"back to the rate before: {why}")

    # Going back ----------------------------------------------------------------------------

    def _gone_up(self, now: float) -> Wish | None:
        """Take a kept higher rate back where the loss has risen for two windows since."""
        if self._return_to is None or self._history.count % self.window:
            return None
        verdict, said = against(np.array(self._lowest), self._history.last)
        self._risen = self._risen + 1 if verdict is Verdict.WORSE else 0
        if verdict is Verdict.BETTER:
            self._lowest = self._history.last.tolist()
        if self._risen < _REPEATED:
            return None
        factor, self._return_to = self._return_to, None
        self._start_over(DOWN)
        self._settling, self._risen = self.window // 2, 0
        if factor >= now:
            return None
        return Wish(factor, f"back to the rate before the last higher one: the loss rose, {said}")


_TRYING = Wish(None, "a trial is going on")
_OWN = ("window", "step", "trials", "_history", "_trial", "_tried", "_lowest")
_PLAIN = tuple(f.name for f in fields(Evidence) if f.name not in _OWN)
