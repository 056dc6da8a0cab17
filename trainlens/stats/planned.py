"""Planned schedules, as the header of a log holds them.

Places within a run (`warmup`, `decay`, `at`, ...) are shares of it; the same with ``_steps``
behind its name is a number of steps. The formulas are in `trainlens.stats.formulas`.
Only numpy is needed, so a scheduler and a reader of logs can share them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trainlens.stats.formulas import KINDS, NEAR, Floats, PlanError, share

__all__ = ["KINDS", "PlanError", "Planned", "parse"]

_DEEPEST = 8


_WORDS = frozenset({"kind", "base", "total_steps", "ratios", "times", "until", "until_steps"})
_LISTS = frozenset({"at", "factors"})
_TEXTS = frozenset({"shape", "between"})


@dataclass(frozen=True)
class Planned:
    """A planned schedule.

    Parameters
    ----------
    spec : mapping
        As in the header of the log.
    base : float
        Value at a factor of 1.
    total : float or None
        Steps of the whole training, where the plan says so.
    ratios : mapping of str to float
        Factors of parameter groups, by name.
    times : str
        Name of a logged series whose value multiplies the plan, such as ``lr_factor``; may be
        empty. `factor` and `value` are without it.
    """

    spec: Mapping[str, Any]
    base: float = 1.0
    total: float | None = None
    ratios: Mapping[str, float] | None = None
    times: str = ""

    def factor(self, progress: ArrayLike, total: float | None = None) -> Floats:
        """Factor of the base at shares of the training, clipped to [0, 1]; any shape.

        Raises
        ------
        PlanError
            Steps in the plan, and no `total` to relate them to.
        """
        p = np.clip(np.asarray(progress, np.float64), 0.0, 1.0)
        return _factor(self.spec, p, self.total or total, 0)

    def value(self, step: ArrayLike, total: float | None = None) -> Floats:
        """Planned values at steps, counted from 0; any shape.

        Raises
        ------
        PlanError
            Neither the plan nor `total` says how long the training is.
        """
        whole = self.total or total
        if not whole:
            raise PlanError("the plan does not say how many steps the training has")
        return self.base * self.factor(np.asarray(step, np.float64) / whole, whole)


def parse(spec: object) -> Planned:
    """Read a planned schedule.

    Parameters
    ----------
    spec : mapping
        ``{"kind": "cosine", "base": 1e-4, "end": 0.01}``; see `KINDS` for what each kind takes.
        Optional in all: ``base`` (1), ``total_steps``, ``ratios``, ``times``. A ``chain`` has
        ``parts``: each is such a mapping with ``until`` (or ``until_steps``), the end of its
        stretch, to which its own progress and places relate.

    Returns
    -------
    Planned

    Raises
    ------
    PlanError
        With the reason.
    """
    if not isinstance(spec, Mapping):
        raise PlanError("a plan is a mapping with a kind")
    base, total = _number(spec.get("base", 1.0), "base"), spec.get("total_steps")
    whole = None if total is None else _number(total, "total_steps")
    if whole is not None and whole <= 0:
        raise PlanError("total_steps must be above 0")
    ratios = spec.get("ratios") or {}
    if not isinstance(ratios, Mapping):
        raise PlanError("ratios must be a mapping of group to factor")
    times = spec.get("times", "")
    if not isinstance(times, str):
        raise PlanError("times must be the name of a logged series")
    own = {str(k): _number(v, "ratios") for k, v in ratios.items()}
    plan = Planned(spec, base, whole, own, times)
    tried = plan.factor([0.0, 0.5, 1.0], whole or 1e9)  # says what is wrong before it is used
    if not np.isfinite(tried * base).all():
        raise PlanError("it gives values that are not finite")
    return plan


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise PlanError(f"{name} must be a number, not {str(value)[:40]!r}")
    return float(value)


def _factor(spec: Mapping[str, Any], p: Floats, total: float | None, depth: int) -> Floats:
    kind = spec.get("kind")
    if kind == "chain":
        return _chain(spec, p, total, depth)
    if not isinstance(kind, str) or kind not in KINDS:
        raise PlanError(f"unknown kind {str(kind)[:40]!r}; there are: {', '.join(KINDS)}, chain")
    check = KINDS[kind]
    known = {k.name: k.default for k in inspect.signature(check).parameters.values()}
    given: dict[str, Any] = {}
    for key, value in spec.items():
        if key in _WORDS:
            continue
        name = key.removesuffix("_steps")
        if name not in known or name == "p":
            raise PlanError(f"{kind} has no {str(key)[:40]!r}")
        given[name] = _value(value, key, total if name != key else 1.0)
    empty = inspect.Parameter.empty
    missing = [k for k, d in known.items() if d is empty and k not in given and k != "p"]
    if missing:
        raise PlanError(f"{kind} needs {missing[0]!r}")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(check(p, **given), np.float64)


def _value(value: object, key: str, unit: float | None) -> Any:
    if key in _TEXTS:
        return str(value)
    if unit is None:
        raise PlanError(f"{key} is in steps, but the plan does not say how many there are")
    name = key.removesuffix("_steps")
    if name in _LISTS:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > 100_000:
            raise PlanError(f"{key} must be a list of numbers")
        return [_number(v, key) / unit for v in value]
    return _number(value, key) / unit


def _chain(spec: Mapping[str, Any], p: Floats, total: float | None, depth: int) -> Floats:
    parts = spec.get("parts")
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
        raise PlanError("a chain needs a list of parts")
    if depth >= _DEEPEST or len(parts) > 1000:
        raise PlanError("a chain of too many parts")
    stretches = _stretches(parts, total)
    last, out = len(stretches) - 1, np.zeros_like(p)
    for i, (part, begin, end) in enumerate(stretches):
        here = (p >= begin - NEAR) & ((p < end - NEAR) | (i == last))
        local = share(p[here], begin, end)
        length = (end - begin) * total if total else None
        base = _number(part.get("base", 1.0), "base")
        out[here] = base * _factor(part, local, length or total, depth + 1)
    return out


def _stretches(
    parts: Sequence[object], total: float | None
) -> list[tuple[Mapping[str, Any], float, float]]:
    """Parts with the shares at which they begin and end; those without a length are left out."""
    held, begin = [], 0.0
    for i, part in enumerate(parts):
        if not isinstance(part, Mapping):
            raise PlanError("each part of a chain is a mapping with a kind")
        last = i == len(parts) - 1
        end = _until(part, total, begin, last)
        if end < begin:
            raise PlanError("the parts of a chain must end one after the other")
        if end - begin > NEAR and begin < 1.0 - NEAR:
            held.append((part, begin, end))
        begin = end
    if not held:
        raise PlanError("no part of the chain has a length")
    return held


def _until(part: Mapping[str, Any], total: float | None, begin: float, last: bool) -> float:
    if "until_steps" in part:
        if total is None:
            raise PlanError("until_steps is in steps, but the plan does not say how many there are")
        return _number(part["until_steps"], "until_steps") / total
    if "until" in part:
        return _number(part["until"], "until")
    if last:
        return max(1.0, begin)
    raise PlanError("each part of a chain but the last needs 'until'")
