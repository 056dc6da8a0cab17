"""Training without a schedule of the learning rate, through the package schedulefree."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from trainlens.errors import MissingExtra

__all__ = ["check_schedule", "evaluating", "is_schedule_free", "schedule_free"]

_KINDS = {
    "adamw": "AdamWScheduleFree",
    "radam": "RAdamScheduleFree",
    "sgd": "SGDScheduleFree",
}
_GRID = 1000
_TOLERANCE = 1e-9


def schedule_free(
    optimizer: str | torch.optim.Optimizer,
    groups: Iterable[torch.Tensor] | Iterable[Mapping[str, Any]] | None = None,
    lr: float | None = None,
    *,
    warmup: int = 0,
    weight_decay: float = 0.0,
    **options: Any,
) -> torch.optim.Optimizer:
    """An optimizer that averages its weights in place of a falling learning rate.

    It trains one set of weights and evaluates another, their running average: put validation and
    the weights that are given away inside `evaluating`.

    Parameters
    ----------
    optimizer : str or torch.optim.Optimizer
        ``"adamw"``, ``"radam"`` or ``"sgd"`` of the package schedulefree; or an optimizer whose
        steps are to be averaged, whose own momentum is best off, through pytorch_optimizer.
    groups : iterable of dict, or of tensors
        As for `make_optimizer`; not with an optimizer, which has its own.
    lr : float, optional
        Of the groups without one of their own. Larger than with a schedule: the authors advise 1
        to 10 times for AdamW, 10 to 50 times for SGD.
    warmup : int
        Updates of linear warmup; ``"radam"`` needs none.
    weight_decay : float
        Of the groups without one of their own.
    **options
        Of the class.

    Returns
    -------
    torch.optim.Optimizer
        In train mode.

    Raises
    ------
    TypeError, ValueError
        An unknown name or option; groups given with an optimizer; no learning rate.
    MissingExtra
        The package is not installed.

    References
    ----------
    Defazio et al. 2024, arXiv:2405.15682.

    Examples
    --------
    >>> layer = torch.nn.Linear(2, 1)
    >>> optimizer = schedule_free("adamw", layer.parameters(), lr=0.0025, warmup=100)
    >>> is_schedule_free(optimizer), optimizer.param_groups[0]["train_mode"]
    (True, True)
    """
    if isinstance(optimizer, torch.optim.Optimizer):
        made = _wrapped(optimizer, groups, lr, warmup, weight_decay, options)
    else:
        made = _named(optimizer, groups, lr, warmup, weight_decay, options)
    made.train()
    out: torch.optim.Optimizer = made
    return out


def is_schedule_free(optimizer: object) -> bool:
    """Whether an optimizer has a train and an eval mode, each with its own weights."""
    # Not by its methods: accelerate's wrapper gives `train` and `eval` to every optimizer.
    return isinstance(optimizer, torch.optim.Optimizer) and _mode(optimizer) is not None


@contextmanager
def evaluating(optimizer: torch.optim.Optimizer, *, exact: bool = False) -> Iterator[None]:
    """Have the averaged weights in the model: for validation and for weights that are given away.

    Goes back to train mode afterwards, also after an error. Inside another `evaluating`, and with
    an optimizer that has one set of weights only, it changes nothing: one loop serves both.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    exact : bool
        Changing over and back rounds the trained weights in their last bits, so that a run that
        validates more often goes another way. True keeps a copy of them instead (the memory of
        one set of weights), and validation leaves no trace.

    Notes
    -----
    A checkpoint to resume from can be saved in either mode; model and optimizer have to be saved
    in the same one. Saved inside ``evaluating(optimizer, exact=True)`` it lacks the last bits of
    the trained weights: save outside then.

    Examples
    --------
    >>> layer = torch.nn.Linear(2, 1)
    >>> with evaluating(torch.optim.SGD(layer.parameters(), lr=0.1)):
    ...     _ = layer(torch.ones(2))
    """
    if _mode(optimizer) is not True:
        yield
        return
    params = [p for group in optimizer.param_groups for p in group["params"]]
    copies = [p.detach().clone() for p in params] if exact else []
    modes: Any = optimizer
    modes.eval()
    try:
        yield
    finally:
        modes.train()
        with torch.no_grad():
            for param, copy in zip(params, copies, strict=False):
                param.copy_(copy)


def check_schedule(optimizer: object, factor: Callable[[float], float]) -> None:
    """Refuse a learning rate that falls under a schedule-free optimizer.

    It averages in place of the fall, and weighs the average by the largest rate so far: with both,
    late weights hardly count. A warmup is fine.

    Parameters
    ----------
    optimizer : object
        Anything that is not schedule-free passes.
    factor : callable
        Factor on the learning rate at a progress in [0, 1], such as a resolved schedule.

    Raises
    ------
    ValueError
        The factor falls somewhere.

    Examples
    --------
    >>> check_schedule(torch.optim.SGD([torch.zeros(1)], lr=0.1), lambda p: 1.0 - p)
    """
    if not is_schedule_free(optimizer):
        return
    highest = -float("inf")
    for i in range(_GRID + 1):
        value = factor(i / _GRID)
        if value < highest - _TOLERANCE * abs(highest):
            raise ValueError(
                f"{type(optimizer).__name__} averages its weights in place of a schedule, but the "
                f"learning rate falls at {i / _GRID:.1%} of the training; use a constant rate, or "
                "a warmup alone"
            )
        highest = max(highest, value)


def _named(
    name: str, groups: Any, lr: float | None, warmup: int, weight_decay: float, options: Any
) -> Any:
    # Imported here, since `make_optimizer` sends users of the library's names to this module.
    from trainlens_torch.optimizers import check_options, prepared

    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError(f"schedule_free takes {', '.join(_KINDS)} or an optimizer, not {name!r}")
    if groups is None:
        raise TypeError("give the groups, or the parameters, that are to be trained")
    try:
        kind = getattr(importlib.import_module("schedulefree"), _KINDS[name])
    except ModuleNotFoundError as error:
        raise MissingExtra(f"schedule-free {name}", "optimizers") from error
    if name == "radam" and warmup:
        raise ValueError("schedule-free radam warms up by itself: leave warmup out")
    check_options(kind, f"schedule-free {name}", options)
    if warmup:
        options = {**options, "warmup_steps": warmup}
    return kind(prepared(groups, lr, weight_decay), weight_decay=weight_decay, **options)


def _wrapped(
    base: torch.optim.Optimizer,
    groups: Any,
    lr: float | None,
    warmup: int,
    weight_decay: float,
    options: Any,
) -> Any:
    from trainlens_torch.optimizers import check_options

    if groups is not None or lr is not None:
        raise TypeError(f"{type(base).__name__} has its groups and rates: give neither again")
    if warmup:
        raise TypeError("give the warmup to a Scheduler: an optimizer that is wrapped has none")
    try:
        # schedulefree's own wrapper does not save its mode: loaded in train mode, the next
        # train() moves the weights once more. This one does.
        kind = importlib.import_module("pytorch_optimizer").ScheduleFreeWrapper
    except ModuleNotFoundError as error:
        raise MissingExtra(f"schedule-free {type(base).__name__}", "optimizers") from error
    check_options(kind, "the schedule-free wrapper", options)
    return kind(base, weight_decay=weight_decay, **options)


def _mode(optimizer: torch.optim.Optimizer) -> bool | None:
    """Whether it holds the weights that train; None where it has one set of weights only."""
    if hasattr(optimizer, "train_mode"):
        return bool(optimizer.train_mode)
    modes = [group["train_mode"] for group in optimizer.param_groups if "train_mode" in group]
    return any(modes) if modes else None
