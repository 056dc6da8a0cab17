"""Dropout as a function of how far a training has come."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from torch import nn

from trainlens_torch.clock import Clock
from trainlens_torch.dropout.rates import checked_rate, holders, patterns
from trainlens_torch.place import Place, PlaceLike, place
from trainlens_torch.schedules.base import Schedule

__all__ = ["ProgressiveDropout", "progressive_dropout"]

_START = 10_000


def progressive_dropout(
    step: float, start_step: float = _START, target: float = 0.1, ramp_steps: float = 0
) -> float:
    """Rate at a step: 0 before `start_step`, `target` from the end of the ramp on.

    ``target clip((step - start_step) / ramp_steps, 0, 1)``; all three places in the same unit.

    Parameters
    ----------
    step, start_step, ramp_steps : float
        All in one unit, 0 or more.
    target : float
        Rate in [0, 1).

    Raises
    ------
    TypeError, ValueError
        `target` is no rate, or a place is negative or NaN.

    Examples
    --------
    >>> [progressive_dropout(step) for step in (9_999, 10_000)]
    [0.0, 0.1]
    >>> progressive_dropout(10_500, ramp_steps=1_000)
    0.05
    """
    rate = checked_rate(target)
    for name, value in (("step", step), ("start_step", start_step), ("ramp_steps", ramp_steps)):
        if not value >= 0:  # true for NaN, too
            raise ValueError(f"{name} must be 0 or more, not {value}")
    return rate * _risen(step, start_step, ramp_steps)


class ProgressiveDropout:
    """No dropout while features form, the full rate afterwards.

    The rate is a pure function of the step, or of the share of the training that is done: there is
    no state to save, and a run that resumes anywhere continues with the rate of the uninterrupted
    run. By default it is 0 until step 10,000, then 0.1.

    A step is an integer, a share of the training a float in [0, 1], as everywhere here
    (`trainlens_torch.place`): ``apply(500)`` is update 500, ``apply(0.5)`` half of the training.
    `Scheduler` passes shares. One is told in the other with the help of `total`.

    Parameters
    ----------
    module : torch.nn.Module
        Holds at least one dropout rate that `set_dropout_rate` reaches. For rates that take many
        values under `torch.compile`, prepare it first (`prepare_dropout`).
    target : float in [0, 1]
        Rate at the end of the ramp; with a `schedule`, the rate at a factor of 1.
    start_step : int or str
        Last step (optimizer updates so far) at which the ramp is at 0, and without a ramp the
        first with dropout; 0 means from the beginning. A text is a place: ``"3ep"``, ``"0.1dur"``.
    ramp_steps : int or str
        Length of a line from 0 up to `target`; 0 is a jump.
    schedule : Schedule, optional
        In place of both: the rate is `target` times its factor.
    total : Clock, int or str, optional
        Length of the whole training, best as the clock that all share. Needed to tell steps in
        shares; beyond its end nothing changes any more.
    extra : str or sequence of str
        As for `set_dropout_rate`.
    name : str
        Under which the rate is logged.

    Raises
    ------
    TypeError, ValueError
        A rate or a step outside its range, a module without dropout, a place that the total
        cannot tell.

    Examples
    --------
    >>> schedule = ProgressiveDropout(nn.Dropout(0.5), target=0.1, start_step=10_000)
    >>> schedule.rate(9_999), schedule.apply(10_000), schedule.module.p
    (0.0, 0.1, 0.1)
    >>> ramp = ProgressiveDropout(nn.Dropout(), 0.2, 100, ramp_steps=100, total=400)
    >>> ramp.rate(150), ramp.rate(0.375)
    (0.1, 0.1)
    """

    def __init__(
        self,
        module: nn.Module,
        target: float = 0.1,
        start_step: int | str = _START,
        ramp_steps: int | str = 0,
        *,
        schedule: Schedule | None = None,
        total: Clock | PlaceLike | None = None,
        extra: str | Sequence[str] = (),
        name: str = "dropout_rate",
    ) -> None:
        self.module = module
        self.target = checked_rate(target)
        self.start_step, self.ramp_steps = start_step, ramp_steps
        self.schedule = _checked_schedule(schedule, start_step, ramp_steps)
        self.extra = patterns(extra)
        self.name = name
        self._places = (_length(start_step, "start_step"), _length(ramp_steps, "ramp_steps"))
        self._told = (self._places, self.schedule)
        self._now: float | None = None
        self._holders = holders(module, self.extra)
        if not self._holders:
            raise ValueError(f"{type(module).__name__} holds no dropout layer to schedule")
        self.clock: Clock | None = None
        if total is not None:
            self.resolve(total if isinstance(total, Clock) else Clock(total))

    def resolve(self, clock: Clock) -> None:
        """Tell steps and places by a clock, in place of the total given before, if any.

        Raises
        ------
        ValueError
            A place that this clock cannot tell; nothing was changed.
        """
        share = clock.share
        start, ramp = (Place(share(one), "dur") for one in self._places)
        schedule = None if self.schedule is None else self.schedule.resolved(share)
        self._told = ((start, ramp), schedule)
        self.clock = clock

    def rate(self, at: float) -> float:
        """Dropout rate at a step (an integer) or a share of the training (a float).

        The module is not touched.

        Raises
        ------
        TypeError, ValueError
            Neither; negative or NaN; a share above 1; a share where no total is known, a step
            where the schedule needs one; or the schedule leaves [0, 1].
        """
        where = self._position(at)
        (start, ramp), schedule = self._told
        if schedule is None:
            return self.target * _risen(where.value, start.value, ramp.value)
        rate = self.target * schedule(where.value)
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"the schedule gives a dropout rate of {rate} at {at}")
        return rate

    def apply(self, at: float) -> float:
        """Set the module to the rate of a step or share, and return it.

        Whatever was applied before, or set by hand, the module is as at this step afterwards.
        Layers that came into it later are found when the rate changes.
        """
        rate = self.rate(at)
        if rate != self._now:  # the walk through a large model costs more than all of its layers
            self._holders = holders(self.module, self.extra)
        for holder in self._holders:
            holder.set(rate)
        self._now = rate
        return rate

    def logged(self) -> dict[str, float]:
        """The rate that was applied last, by its name; empty before."""
        return {} if self._now is None else {self.name: self._now}

    def spec(self) -> dict[str, Any]:
        """The plan in plain values, as `trainlens.stats.planned` reads it.

        Raises
        ------
        ValueError
            Places in epochs, samples or tokens, and no total that tells them.
        """
        _, schedule = self._told
        out = self._ramp_spec() if schedule is None else schedule.spec()
        out["base"] = self.target
        if self.clock is not None and self.clock.total_updates is not None:
            out["total_steps"] = self.clock.total_updates
        return out

    def plan(self) -> dict[str, Any]:
        """`spec` under the name of the field, for ``schedules`` in the header of a log."""
        return {self.name: self.spec()}

    def config(self) -> dict[str, Any]:
        """What it was made with, in plain values: compared when a run resumes."""
        start, ramp = self._places
        return {
            "target": self.target,
            "start_step": str(start) if self.schedule is None else None,
            "ramp_steps": str(ramp) if self.schedule is None else None,
            "schedule": None if self.schedule is None else repr(self.schedule),
            "extra": list(self.extra),
        }

    def __repr__(self) -> str:
        if self.schedule is not None:
            return f"ProgressiveDropout({self.target} x {self.schedule!r})"
        start, ramp = self._places
        return f"ProgressiveDropout({self.target} from {start}, ramp {ramp})"

    def _position(self, at: float) -> Place:
        """Where `at` is, in the unit in which the places are told."""
        if isinstance(at, bool) or not isinstance(at, Real):
            raise TypeError(f"a step is an integer, a share of the training a float, not {at!r}")
        found = place(at)
        if self.clock is not None:
            return Place(min(self.clock.share(found), 1.0), "dur")
        places, schedule = self._told
        unit = "dur" if schedule is not None else found.unit
        wrong = [one for one in places if one.unit != unit and one.value]
        if found.unit != unit or (schedule is None and wrong):
            what = f"step {at}" if isinstance(at, Integral) else f"{at} of the training"
            raise ValueError(
                f"{what} cannot be told without the length of the training: give total=, a number "
                "of updates or the clock"
            )
        return found

    def _ramp_spec(self) -> dict[str, Any]:
        used = [one for one in self._places if one.value]
        if not used:
            return {"kind": "constant"}
        # In steps where it can be: those do not depend on the total.
        steps = all(one.unit == "ba" for one in used)
        start, ramp = self._places if steps else self._told[0]
        if not steps and any(one.unit != "dur" and one.value for one in (start, ramp)):
            raise ValueError(f"{self!r}: give total= to write its plan")
        out: dict[str, Any] = {"kind": "piecewise", "factors": [0.0, 1.0]}
        at = "at_steps" if steps else "at"
        if not ramp.value:
            return {**out, at: [start.value]}
        return {**out, at: [start.value, start.value + ramp.value], "between": "linear"}


def _risen(at: float, start: float, ramp: float) -> float:
    """Share of the ramp that is done; a jump at `start` where it has no length."""
    if at < start:
        return 0.0
    return min((at - start) / ramp, 1.0) if ramp > 0 else 1.0


def _length(given: object, name: str) -> Place:
    """A place or length; a bare number must be a whole one."""
    if isinstance(given, str | Place):
        return place(given)
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise TypeError(f'{name} must be an integer, or a text such as "3ep", not {given!r}')
    if given < 0:
        raise ValueError(f"{name} must be 0 or more, not {given}")
    return Place(float(given), "ba")


def _checked_schedule(schedule: object, start: object, ramp: object) -> Schedule | None:
    if schedule is None:
        return None
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be one of trainlens_torch.schedules, not {schedule!r}")
    if start != _START or ramp != 0:
        raise ValueError("give either a schedule, or start_step and ramp_steps")
    return schedule
