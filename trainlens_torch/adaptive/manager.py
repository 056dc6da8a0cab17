"""A factor of the learning rate that is decided by the loss, evaluation by evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple
from numbers import Real
from typing import Any

from trainlens_torch.adaptive.configuration import from_keys
from trainlens_torch.adaptive.decision import Change, Decision, Wish
from trainlens_torch.adaptive.robust import Evidence
from trainlens_torch.adaptive.seed import Bounds, FixedRules
from trainlens_torch.checks import whole
from trainlens_torch.state import packed, unpacked

__all__ = ["AdaptiveLRManager"]

_VERSION = 1
_MODES = {"seed": 10.0, "robust": 100.0}
_EPS = 1e-8


class AdaptiveLRManager:
    """Raises and lowers the learning rate by what the loss does.

    It never touches an optimizer: it holds `factor`, the product of its decisions, which the
    `Scheduler` multiplies into every learning rate beside the schedule and the ratio of the group.
    A schedule therefore goes on undisturbed, and nothing is edited behind its back::

        manager = AdaptiveLRManager(1e-4, mode="robust")
        scheduler = Scheduler(optimizer, clock, lr=Cosine(), adaptive=manager)
        for epoch in range(epochs):
            loss = train_one_epoch(...)
            adjust, reason, factor = manager.update(loss, epoch)

    ``mode="seed"`` follows three fixed rules in the unit of the loss, the first that applies:

    1. the variance of the last `window` losses is below `threshold` and their line of least
       squares does not fall by more than 1.645 of its standard errors: times `boost`;
    2. `no_improvement` evaluations without a new best loss: times `decay`;
    3. more than `patience` of them, counted as ReduceLROnPlateau does: times `factor`.

    ``mode="robust"`` has no threshold in the unit of the loss. Where the loss stands still by the
    same test as in the check-up of a log, another rate is tried for a window of evaluations, up or
    down, and kept only if the loss is significantly lower for it; else the rate before comes
    back. See `trainlens_torch.adaptive.robust`. Of the arguments it uses `window`, `step`,
    `trials` and the limits.

    Parameters
    ----------
    base_lr : float
        Learning rate at a factor of 1; what `min_lr` is compared with.
    mode : {"seed", "robust"}
    threshold : float
        Variance below which the loss is stalled; unit of the loss, squared. With 0 nothing is, and
        the rate is never raised: what is left is a plateau schedule.
    window : int
        Evaluations that are judged together, at least 3 (robust: at least 8).
    boost, decay, factor : float
        See above; `boost` above 1, the others within (0, 1).
    no_improvement, patience : int
        See above.
    min_lr : float
        Learning rate below which nothing lowers it; a fall by less than 1e-8 is none.
    max_factor : float, optional
        Largest factor. By default 10 in mode "seed", which raises a rate without asking whether
        that helps, and 100 in mode "robust", which goes back where it does not.
    warmup : int
        Evaluations at the beginning that are not judged, since the learning rate still rises.
    step : float
        Factor of a trial in mode "robust".
    trials : int
        Trials that may fail in mode "robust".
    keep : int
        Newest entries of `decisions` that are kept.
    on_decision : callable, optional
        Called with each new entry of `decisions`, such as a logger's method.

    Attributes
    ----------
    factor : float
        Product of all decisions; to be logged as ``lr_factor``.
    decisions : tuple of Change
        Each change of the factor, and one entry for each row of losses that were no numbers.
    ignored : int
        Losses that were NaN or infinite: they change nothing and count as no evaluation.

    Raises
    ------
    TypeError, ValueError
        A number out of its range, or an unknown mode.

    Examples
    --------
    >>> manager = AdaptiveLRManager(1e-4, window=3)
    >>> for loss in (4.25, 4.26, 4.25):
    ...     adjust, reason, factor = manager.update(loss)
    >>> adjust, factor, manager.factor
    (True, 1.5, 1.5)
    """

    def __init__(
        self,
        base_lr: float,
        *,
        mode: str = "seed",
        threshold: float = 0.001,
        window: int = 20,
        boost: float = 1.5,
        decay: float = 0.8,
        no_improvement: int = 30,
        patience: int = 50,
        factor: float = 0.7,
        min_lr: float = 1e-6,
        max_factor: float | None = None,
        warmup: int = 0,
        step: float = 3.0,
        trials: int = 12,
        keep: int = 1000,
        on_decision: Callable[[Change], None] | None = None,
    ) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        least = 8 if mode == "robust" else 3
        self._config: dict[str, Any] = {
            "base_lr": _number("base_lr", base_lr, low=0.0),
            "mode": mode,
            "threshold": _number("threshold", threshold, low=0.0, reached=True),
            "window": whole(window, "window", least),
            "boost": _number("boost", boost, low=1.0),
            "decay": _number("decay", decay, low=0.0, high=1.0),
            "no_improvement": whole(no_improvement, "no_improvement"),
            "patience": whole(patience, "patience", 0),
            "factor": _number("factor", factor, low=0.0, high=1.0),
            "min_lr": _number("min_lr", min_lr, low=0.0, reached=True),
            "max_factor": _number(
                "max_factor", _MODES[mode] if max_factor is None else max_factor, 1.0, reached=True
            ),
            "warmup": whole(warmup, "warmup", 0),
            "step": _number("step", step, low=1.0),
            "trials": whole(trials, "trials", 0),
            "keep": whole(keep, "keep"),
        }
        rate = self._config["base_lr"]
        self._bounds = Bounds(min_lr / rate, self._config["max_factor"], _EPS / rate)
        self._on_decision = on_decision
        self._rules = self._made()
        self.factor = 1.0
        self.ignored = 0
        self._row = 0
        self._seen = 0
        self._changes: list[Change] = []

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], base_lr: float, **more: Any
    ) -> AdaptiveLRManager:
        """Make a manager from the keys of a configuration file.

        Parameters
        ----------
        config : mapping
            ``adaptive_threshold``, ``loss_window_size``, ``lr_boost_factor``,
            ``lr_decay_factor``, ``plateau_patience``, ``plateau_factor``, ``plateau_min_lr``;
            ``enable_warmup`` and ``warmup_epochs`` (epochs not judged); ``scheduler_type``
            (``"adaptive_plateau"``: mode "seed"; ``"adaptive_robust"``); or names of the
            constructor. ``warmup_start_lr`` is accepted and left to the schedule that warms up.
        base_lr : float
        **more
            Further arguments of the constructor; they win.

        Raises
        ------
        TypeError, ValueError
            An unknown key, a key that is given by two names, or a value out of its range.
        """
        return cls(base_lr, **{**from_keys(config), **more})

    @property
    def decisions(self) -> tuple[Change, ...]:
        """Record of the newest decisions, oldest first."""
        return tuple(self._changes)

    def update(self, loss: float, epoch: float | None = None) -> Decision:
        """Take the loss of one evaluation, and decide.

        Parameters
        ----------
        loss : float
            Of one evaluation, such as the mean over an epoch; a tensor with one element costs a
            copy from its device. NaN and infinity are ignored, counted, and recorded once a row.
        epoch : float, optional
            For the record.

        Returns
        -------
        Decision
        """
        value = float(loss)
        at = float(self._seen + self.ignored if epoch is None else epoch)
        if not math.isfinite(value):
            return self._ignore(value, at)
        self._row = 0
        self._seen += 1
        if self._seen <= self._config["warmup"]:
            return Decision(False, f"warming up: {self._seen} of {self._config['warmup']}", 1.0)
        return self._take(self._rules.judge(value, self.factor, self._bounds), value, at)

    def should_adjust_lr(self, current_loss: float, epoch: float | None = None) -> Decision:
        """`update` by another name."""
        return self.update(current_loss, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Plain values that `load_state_dict` takes."""
        return packed(
            "AdaptiveLRManager",
            _VERSION,
            self.config(),
            factor=self.factor,
            ignored=self.ignored,
            row=self._row,
            seen=self._seen,
            changes=[list(astuple(change)) for change in self._changes],
            rules=self._rules.values(),
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises
        ------
        StateMismatch
            Other settings or another version; the manager is unchanged.
        """
        keys = ("factor", "ignored", "row", "seen", "changes", "rules")
        factor, ignored, row, seen, changes, values = unpacked(
            state, "AdaptiveLRManager", _VERSION, self.config(), *keys
        )
        rules = self._made()
        rules.restore(values)
        self._changes = [Change(*change) for change in changes]
        self._rules, self.factor = rules, factor
        self.ignored, self._row, self._seen = ignored, row, seen

    def config(self) -> dict[str, Any]:
        """What the manager was made with, in plain values."""
        return dict(self._config)

    def __repr__(self) -> str:
        mode, base = self._config["mode"], self._config["base_lr"]
        return f"AdaptiveLRManager({mode}, base_lr={base:g}, factor={self.factor:g})"

    def _made(self) -> FixedRules | Evidence:
        c = self._config
        if c["mode"] == "robust":
            return Evidence(c["window"], c["step"], c["trials"])
        names = ("threshold", "window", "boost", "decay", "no_improvement", "patience", "factor")
        return FixedRules(*(c[name] for name in names))

    def _ignore(self, value: float, at: float) -> Decision:
        self.ignored += 1
        self._row += 1
        decision = Decision(False, f"loss is {_NAMES.get(value, 'NaN')}: ignored", 1.0)
        if self._row == 1:
            self._record(Change(at, value, decision.reason, self.factor, self.factor))
        return decision

    def _take(self, wish: Wish, loss: float, at: float) -> Decision:
        before = self.factor
        if wish.factor is None or wish.factor == before:
            return Decision(False, wish.reason, 1.0)
        self.factor = wish.factor
        exact = before * wish.by == wish.factor
        ratio = wish.by if exact else wish.factor / before
        reason = f"{wish.reason}; factor {before:.4g} -> {wish.factor:.4g}"
        self._record(Change(at, loss, reason, before, wish.factor))
        return Decision(True, reason, ratio)

    def _record(self, change: Change) -> None:
        self._changes = [*self._changes, change][-self._config["keep"] :]
        if self._on_decision is not None:
            self._on_decision(change)


_NAMES = {math.inf: "infinite", -math.inf: "minus infinity"}


def _number(
    name: str, value: Any, low: float, high: float = math.inf, *, reached: bool = False
) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    number = float(value)
    above = number >= low if reached else number > low
    if above and number < high:  # false for NaN, too
        return number
    limits = f"{'at least' if reached else 'above'} {low:g} and "
    limits += "finite" if high == math.inf else f"below {high:g}"
    raise ValueError(f"{name} must be {limits}, not {value!r}")
