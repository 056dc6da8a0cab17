"""Cosine decay with warm restarts."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

from trainlens_torch.schedules.base import NEAR, Schedule, Where, place_field

__all__ = ["CosineRestarts"]

_CYCLES = 10_000


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Half cosine waves, one after the other.

    Within cycle i, ``end + (height^i - end) (1 + cos(pi u)) / 2``, u being the share of the cycle
    that is done. Each cycle is `growth` times as long as the one before. There are `cycles` of
    them, which fill the training; or, where `first` is given, as many as it takes, and the end of
    the training cuts the last one off.

    Torch's ``CosineAnnealingWarmRestarts(T_0=n, T_mult=g, eta_min=m)`` is
    ``CosineRestarts(first=n, growth=g, end=m / base)``; transformers'
    ``get_cosine_with_hard_restarts_schedule_with_warmup(..., num_cycles=c)`` is
    ``Chain(LinearWarmup(n), CosineRestarts(cycles=c))``; timm's ``CosineLRScheduler(t_initial=n,
    cycle_mul=g, cycle_decay=h, cycle_limit=c, lr_min=m)`` is
    ``CosineRestarts(cycles=c, growth=g, height=h, end=m / base)`` in a training of c cycles, and
    in a longer one the first part of a `Chain` with ``Constant(m / base)``.

    Parameters
    ----------
    cycles : int
        1 to 10,000.
    growth : float
        Length of a cycle over that of the one before; above 0.
    height : float
        Beginning of a cycle over that of the one before.
    end : float
        Factor at the end of each cycle.
    first : place, optional
        Length of the first cycle, instead of `cycles`. An integer is a number of updates.

    References
    ----------
    Loshchilov and Hutter 2017, arXiv:1608.03983.

    Examples
    --------
    >>> two = CosineRestarts(cycles=2, height=0.5)
    >>> two(0.25), two(0.5), two(1.0)
    (0.5, 0.5, 0.0)
    >>> CosineRestarts(first=0.25, growth=3)(0.25)
    1.0
    """

    kind = "cosine-restarts"

    cycles: int = 1
    growth: float = 1.0
    height: float = 1.0
    end: float = 0.0
    first: Where = place_field(None)

    def _check(self) -> None:
        if not 1 <= self.cycles <= _CYCLES:
            self._refuse("cycles", f"1 to {_CYCLES}")
        if self.growth <= 0:
            self._refuse("growth", "above 0")
        if self.first is not None and self.cycles != 1:
            self._refuse("cycles", "left out where first is given")
        if self.first == 0:
            self._refuse("first", "above 0")
        if self.is_resolved:
            _ = self._cycles  # a cycle too many, or too high, is said here rather than in training

    def factor(self, p: float) -> float:
        """``end + (height^i - end) (1 + cos(pi u)) / 2``."""
        begin, length, rise = self._cycles[bisect_right(self._begins, p + NEAR) - 1]
        u = (p - begin) / length
        u = 0.0 if u < 0.0 else u if u < 1.0 else 1.0
        return self.end + rise * (0.5 + 0.5 * math.cos(math.pi * u))

    @cached_property
    def _edges(self) -> tuple[float, ...]:
        if self.first is not None:
            return self._from_first()
        # Powers are kept at or below 1, so that many long cycles do not overflow.
        down = self.cycles if self.growth > 1.0 else 0
        sums = [0.0, *accumulate(self.growth ** (i - down) for i in range(self.cycles))]
        return tuple(one / sums[-1] for one in sums)

    def _from_first(self) -> tuple[float, ...]:
        edges = [0.0]
        while edges[-1] < 1.0 - NEAR:
            if len(edges) > _CYCLES:
                self._refuse("first", f"long enough to reach the end in {_CYCLES} cycles")
            edges.append(self.first * _series(self.growth, len(edges)))
        return tuple(edges)

    @cached_property
    def _begins(self) -> tuple[float, ...]:
        return self._edges[:-1]

    @cached_property
    def _cycles(self) -> tuple[tuple[float, float, float], ...]:
        """Beginning and length of each cycle, and how far it falls."""
        pairs = zip(pairwise(self._edges), self._peaks, strict=True)
        # Cycles that shrink to nothing have no length left in floats; they are at their end.
        return tuple(
            (a, b - a, peak - self.end) if b > a else (a, 1.0, 0.0) for (a, b), peak in pairs
        )

    @cached_property
    def _peaks(self) -> tuple[float, ...]:
        try:
            return tuple(self.height**i for i in range(len(self._begins)))
        except OverflowError:
            count = len(self._begins)
            raise ValueError(f"height {self.height!r} overflows within {count} cycles") from None


def _series(growth: float, n: int) -> float:
    """``1 + growth + ... + growth^(n-1)``, also where growth is almost 1."""
    if growth == 1.0:
        return float(n)
    try:
        return math.expm1(n * math.log(growth)) / (growth - 1.0)
    except OverflowError:
        return math.inf
