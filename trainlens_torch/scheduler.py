"""The object that applies schedules: to learning rates, to any field, to anything that follows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainlens_torch.averaging import check_schedule
from trainlens_torch.bound import Bound, BoundFields, by_group, finite
from trainlens_torch.clock import Clock
from trainlens_torch.fields import Value, read_field, write_target
from trainlens_torch.place import PlaceLike
from trainlens_torch.schedules.base import Schedule
from trainlens_torch.state import packed, unpacked

__all__ = ["Adaptive", "Part", "Scheduler"]

_VERSION = 1
_HUGE = 1e300
_STUCK = 1000
"""So many updates' worth of calls of `apply` at one and the same update: nobody calls `tick`."""


class Part(Protocol):
    """Something that follows progress beside the optimizer: freezing, dropout."""

    def apply(self, progress: float) -> object:
        """Be as at this share of the training, whatever came before."""

    def config(self) -> dict[str, Any]:
        """What it was made with, in plain values; compared when a run resumes."""


class Adaptive(Protocol):
    """Something that judges a run and holds a factor on its learning rates."""

    @property
    def factor(self) -> float:
        """Factor on every learning rate."""

    def config(self) -> dict[str, Any]:
        """What it was made with, in plain values."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""


class Scheduler(LRScheduler):
    """Applies schedules to the fields of an optimizer and to whatever else follows progress.

    Every value is absolute: ``initial value of the group x schedule(progress)``, for learning
    rates times the factor of the adaptive manager. Nothing is multiplied into what is there, so
    `apply` can be called any number of times, a value that was set by hand does not stay, and a
    run that resumes continues with the values of the uninterrupted one.

    In a plain loop, `apply` comes before the forward pass and `Clock.tick` after the step::

        clock = Clock(10_000)
        scheduler = Scheduler(
            optimizer, clock,
            lr=Chain(LinearWarmup("500ba"), Cosine(end=0.01)),
            weight_decay=Linear(1.0, 0.1),
            values={"clip_weight": Value(0.05, Ramp(), into=criterion.weight)},
            parts=[freezing, dropout],
        )
        for batch in loader:
            scheduler.apply()
            loss(batch).backward()
            if clock.due:
                optimizer.step()
                optimizer.zero_grad()
            clock.tick()

    In a loop that is written for the schedulers of torch (Lightning, transformers, accelerate),
    it is one of them: `step` after each optimizer step counts the update and applies what follows.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Groups that are added later are found, and follow from the values that they come with.
    clock : Clock, int or str
        Shared by all that follows the same training. The length of the training makes one of its
        own: 10_000, ``"2e9tok"``.
    values : mapping of str to Value, optional
        Scheduled values outside the optimizer, by the name under which they are logged.
    parts : sequence, optional
        `ProgressiveFreezing`, `ProgressiveDropout`, or your own: anything with ``apply(progress)``
        and ``config()``. ``resolve(clock)``, ``attach(optimizer)``, ``logged()``, ``plan()`` and
        the two of a saved state are called where they are there.
    adaptive : AdaptiveLRManager, optional
        Its factor multiplies every learning rate.
    **fields : Schedule, or mapping of group name to Schedule
        By field of the parameter groups: ``lr=``, ``weight_decay=``, ``momentum=`` (the first beta
        of the Adam family), any other number. A mapping names groups, ``"*"`` all others.

    Raises
    ------
    TypeError, ValueError
        An unknown field or group, something that is no schedule, a place that the clock cannot
        tell, a base that is not finite. Nothing was changed then.

    Examples
    --------
    >>> import torch
    >>> from trainlens_torch.schedules.cosine import Cosine
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> clock = Clock(4)
    >>> scheduler = Scheduler(optimizer, clock, lr=Cosine())
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), clock.updates
    ([0.05], 2)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        clock: Clock | PlaceLike,
        *,
        values: Mapping[str, Value] | None = None,
        parts: Sequence[Part] = (),
        adaptive: Adaptive | None = None,
        **fields: Schedule | Mapping[str, Schedule],
    ) -> None:
        # The constructor of LRScheduler is not called: it would wrap `optimizer.step` and write
        # learning rates; being its kind is what frameworks ask for.
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an optimizer of torch")
        self.optimizer = optimizer
        self.clock = clock = clock if isinstance(clock, Clock) else Clock(clock)
        self.parts = tuple(parts)
        self._stateful: list[Any] = [part for part in self.parts if hasattr(part, "state_dict")]
        self.adaptive = adaptive
        self._given = {
            name: replace(value, schedule=value.schedule.resolved(clock.share))
            for name, value in (values or {}).items()
        }
        both = sorted(fields.keys() & self._given.keys())
        if both:
            raise ValueError(f"{both[0]!r} is given as a field and as a value")
        self._fields = BoundFields(
            {name: by_group(name, given) for name, given in fields.items()},
            optimizer.param_groups,
            clock.share,
        )
        for row in self._fields.rows:
            if row.field == "lr":
                check_schedule(optimizer, row.schedule.factor)
        for part in self.parts:
            # A part that needs neither has neither.
            if hasattr(part, "resolve"):
                part.resolve(clock)
            if hasattr(part, "attach"):
                part.attach(optimizer)
        self.values: dict[str, float] = {}
        self._step_count = 1
        self._at, self._still = -1, 0
        self.apply()
        self._fields.remember(optimizer.param_groups)

    def apply(self, progress: float | None = None) -> None:
        """Set every value to where the training is. Repeating it changes nothing.

        Parameters
        ----------
        progress : float in [0, 1], optional
            By default that of the clock.

        Raises
        ------
        ValueError
            `progress` is NaN or outside [0, 1], or a schedule gives a value that is not finite.
            Nothing was written then.

        Warns
        -----
        RuntimeWarning
            Once, where the clock has not counted an update in 1,000 updates' worth of calls.
        """
        if progress is None:
            p = self.clock.progress
            self._watch(self.clock.updates)
        else:
            p = progress
        if not 0.0 <= p <= 1.0:  # false for NaN, too
            raise ValueError(f"progress must lie in [0, 1], not {p!r}")
        groups = self.optimizer.param_groups
        if len(groups) != len(self._fields.initial):
            self._fields.adopt(groups)
        factors = [self._factor(row, p) for row in self._fields.rows]
        values = {
            name: finite(given.base * given.schedule.factor(p), name)
            for name, given in self._given.items()
        }
        for row, factor in zip(self._fields.rows, factors, strict=True):
            row.now = factor
            row.write(groups)
        for name, value in values.items():
            write_target(self._given[name].into, value)
        self.values = values
        for part in self.parts:
            part.apply(p)

    def _watch(self, updates: int) -> None:
        """Warn once where the clock does not go: the training would have no end."""
        if updates != self._at:
            self._at, self._still = updates, 0
            return
        self._still += 1
        if self._still == _STUCK * self.clock.accumulation:
            warnings.warn(
                f"the clock stands at update {updates} since {self._still} calls of apply; call "
                f"clock.tick() after each batch (or scheduler.step() after each update)",
                RuntimeWarning,
                stacklevel=3,
            )

    def step(self, epoch: int | None = None) -> None:
        """Count one update, and apply what follows it: the face of a scheduler of torch.

        Parameters
        ----------
        epoch : int, optional
            Jumps to an update, as in torch; the clock goes there.
        """
        if epoch is None:
            self.clock.tick(update=True)
        else:
            self.clock.updates = epoch
        self._step_count += 1
        self.apply()

    def get_last_lr(self) -> list[float | Tensor]:
        """Learning rates that were applied last, one for each group, as plain floats."""
        applied = self._fields.last("lr")
        return [
            applied[i] if i in applied else read_field(group, "lr")
            for i, group in enumerate(self.optimizer.param_groups)
        ]

    def get_lr(self) -> list[float | Tensor]:
        """The same as `get_last_lr`: nothing is computed from what was there before."""
        return self.get_last_lr()

    # torch declares these two as attributes; here they follow the clock and the groups.
    @property
    def last_epoch(self) -> int:
        """Updates so far, under torch's name."""
        return self.clock.updates

    @last_epoch.setter
    def last_epoch(self, value: int) -> None:
        raise AttributeError(
            "last_epoch follows the clock; set clock.updates. Schedules are put one behind the "
            "other with Chain, not with SequentialLR"
        )

    @property
    def base_lrs(self) -> list[float | Tensor]:  # type: ignore[override]
        """Initial learning rate of each group."""
        return [
            initial.get("lr", group.get("initial_lr", group["lr"]))
            for initial, group in zip(
                self._fields.initial, self.optimizer.param_groups, strict=True
            )
        ]

    def logged(self) -> dict[str, float]:
        """What to log of this update, as floats; no tensor is read.

        ``lr`` is the base rate on its schedule; ``lr/NAME`` those of the groups, where there are
        several; likewise for other fields. Then the scheduled values, what the parts tell
        (``logged()``), and ``lr_factor`` of the adaptive manager.
        """
        out: dict[str, float] = {}
        for field in self._fields.fields:
            out |= self._fields.logged(field, self.optimizer.param_groups)
        out |= self.values
        for part in self.parts:
            tell = getattr(part, "logged", None)
            out |= tell() if tell is not None else {}
        if self.adaptive is not None:
            out["lr_factor"] = self.adaptive.factor
        return out

    def header(self) -> dict[str, Any]:
        """The plan as the header of a log holds it, so that the log can be checked against it.

        See `trainlens.schema`, "Planned schedules".
        """
        out: dict[str, Any] = {}
        if self.clock.total_updates is not None:
            out["total_steps"] = self.clock.total_updates
        for field in self._fields.fields:
            plans = self._fields.plan(field, self.optimizer.param_groups)
            if field == "lr" and self.adaptive is not None:
                plans = {name: {**plan, "times": "lr_factor"} for name, plan in plans.items()}
            out |= plans
        out |= self._value_plans()
        for part in self.parts:
            plan = getattr(part, "plan", None)
            out |= plan() if plan is not None else {}
        return out

    def config(self) -> dict[str, Any]:
        """What the scheduler was made with, in plain values: compared when a run resumes."""
        return {
            "clock": self.clock.config(),
            **self._fields.config(self.optimizer.param_groups),
            "values": self._value_plans(),
            "parts": [{"kind": type(part).__name__, **part.config()} for part in self.parts],
            "adaptive": None if self.adaptive is None else self.adaptive.config(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain Python values: the clock, the adaptive manager, and the configuration."""
        clock, adaptive, parts = self._inner()
        return packed(
            "Scheduler", _VERSION, self.config(), clock=clock, adaptive=adaptive, parts=parts
        )

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved state, the clock included, and apply it at once.

        Make the scheduler before the state of the optimizer is loaded: then an initial learning
        rate that has changed since is noticed.

        Raises
        ------
        StateMismatch
            The configuration or the version is another one; the message names the differences,
            and nothing was loaded.
        """
        clock, adaptive, parts = unpacked(
            state_dict, "Scheduler", _VERSION, self.config(), "clock", "adaptive", "parts"
        )
        before = self._inner()
        try:
            self._restore(clock, adaptive, parts)
        except (KeyError, TypeError, ValueError):
            # One of them refused its share: the others go back to where they were.
            self._restore(*before)
            raise
        self._step_count = self.clock.updates + 1
        self.apply()

    def __repr__(self) -> str:
        fields = ", ".join([*self._fields.fields, *self._given])
        return f"Scheduler({fields or 'nothing'}; {self.clock!r})"

    def _inner(self) -> tuple[Any, Any, list[Any]]:
        """States of the clock, the manager and the parts that have one."""
        manager = None if self.adaptive is None else self.adaptive.state_dict()
        return self.clock.state_dict(), manager, [part.state_dict() for part in self._stateful]

    def _restore(self, clock: Any, adaptive: Any, parts: Sequence[Any]) -> None:
        self.clock.load_state_dict(clock)
        if self.adaptive is not None:
            self.adaptive.load_state_dict(adaptive)
        for part, saved in zip(self._stateful, parts, strict=True):
            part.load_state_dict(saved)

    def _factor(self, row: Bound, p: float) -> float:
        factor = row.schedule.factor(p)
        if self.adaptive is not None and row.field == "lr":
            factor *= self.adaptive.factor
        # The comparison is false for NaN and infinities, and costs less than math.isfinite.
        return factor if -_HUGE < factor < _HUGE else finite(factor, row.field)

    def _value_plans(self) -> dict[str, Any]:
        return {
            name: {**given.schedule.spec(), "base": given.base}
            for name, given in self._given.items()
        }
