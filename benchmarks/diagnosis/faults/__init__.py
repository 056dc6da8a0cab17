"""Kinds of faults, one a file: what each does to a sketch, and which rules are right about it.

Adding a kind = adding a file to this folder::

    @fault("loss-spike", accepts=("loss-spike",), brings=("outlier",), point=True)
    def spike(s: Sketch) -> Mark | None:
        '''What it is, and what its strength means.'''
        ...

A fault is clear: an observer who knows its shape would be sure of it. Where the noise of the
sketch allows none, the function returns None and another sketch is drawn.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.diagnosis.labelled import Span
from benchmarks.diagnosis.noise import Floats
from benchmarks.diagnosis.sketch import Sketch, Wish
from trainlens.rules.base import Severity
from trainlens.run import Ints


@dataclass(frozen=True)
class Mark:
    """Where a fault was put, and how strong it is.

    Parameters
    ----------
    spans : tuple of Span
    strength : float
    spacing : float
        Steps between two points of the series that has it.
    also : tuple of str
        Consequences of this very case, beside those of its kind.
    """

    spans: tuple[Span, ...]
    strength: float
    spacing: float
    also: tuple[str, ...] = ()


Inject = Callable[[Sketch], Mark | None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault; see `Labelled` for `accepts`, `brings` (consequences), `point`, `least`."""

    kind: str
    inject: Inject
    accepts: tuple[str, ...]
    brings: tuple[str, ...]
    point: bool
    least: Severity
    wish: Wish

    @property
    def title(self) -> str:
        """What it is, in one line."""
        return (self.inject.__doc__ or self.kind).splitlines()[0].rstrip(".")


_kinds: dict[str, Fault] = {}


def fault(
    kind: str,
    *,
    accepts: tuple[str, ...] = (),
    brings: tuple[str, ...] = (),
    point: bool = False,
    least: str = "warning",
    wish: Wish | None = None,
) -> Callable[[Inject], Inject]:
    """Register a kind; `accepts` is its own name if nothing else is said."""

    def register(inject: Inject) -> Inject:
        held = _kinds.get(kind)
        if held is not None and held.inject.__module__ != inject.__module__:
            raise ValueError(f"two kinds of fault are called {kind!r}")
        _kinds[kind] = Fault(
            kind, inject, accepts or (kind,), brings, point, Severity(least), wish or Wish()
        )
        return inject

    return register


@cache
def kinds() -> Mapping[str, Fault]:
    """All kinds by name."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return {kind: _kinds[kind] for kind in sorted(_kinds)}


def marked(
    step: Ints, *spans: tuple[int, int], strength: float, also: tuple[str, ...] = ()
) -> Mark:
    """A mark from first and last points, both included, of a series with these steps."""
    found = tuple(Span(int(step[a]), int(step[b])) for a, b in spans)
    spacing = (int(step[-1]) - int(step[0])) / max(1, len(step) - 1)
    return Mark(found, float(strength), spacing, also)


def leaps(level: Floats) -> tuple[str, ...]:
    """``validation-jump`` where a clean validation loss rises by 3 % from one time to the next."""
    rising = bool((np.diff(np.log(np.maximum(level, 1e-12))) > 0.03).any())
    return ("validation-jump",) if rising else ()


def flat(level: Floats, at: int) -> Floats:
    """A curve that stays from a point on, shape (n,)."""
    held = level.copy()
    held[at:] = level[at]
    return held
