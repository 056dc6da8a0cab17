"""Warmup, a constant stretch, and a decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from trainlens_torch.schedules.base import NEAR, Schedule, Where, place_field

__all__ = ["WarmupStableDecay"]

_SHAPES = ("linear", "cosine", "root")


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """Up over `warmup`, constant, and down to `end` within the last `decay`.

    ``p / warmup``, 1, and ``end + (1 - end) f(u)``, u being the share of the decay that is done and
    f(u) ``1 - u`` (linear), ``(1 + cos(pi u)) / 2`` (cosine) or ``1 - sqrt(u)`` (root). Where the
    training is so short that warmup and decay overlap, the lower of the two holds.

    Transformers' ``get_wsd_schedule(num_warmup_steps=n, num_decay_steps=m, min_lr_ratio=0)`` is
    ``WarmupStableDecay(n, m, shape="cosine")``.

    Parameters
    ----------
    warmup, decay : place
        Lengths of the two.
    end : float
        Factor at the end, at most 1.
    shape : str
        Of the decay: ``linear``, ``cosine`` or ``root``.

    References
    ----------
    Hu et al. 2024, arXiv:2404.06395; the root: Haegele et al. 2024, arXiv:2405.18392.

    Examples
    --------
    >>> wsd = WarmupStableDecay(0.1, 0.5)
    >>> wsd(0.05), wsd(0.3), wsd(0.75), wsd(1.0)
    (0.5, 1.0, 0.5, 0.0)
    """

    kind = "warmup-stable-decay"

    warmup: Where = place_field("0dur")
    decay: Where = place_field(0.2)
    end: float = 0.0
    shape: str = "linear"

    def _check(self) -> None:
        if self.shape not in _SHAPES:
            self._refuse("shape", "one of " + ", ".join(_SHAPES))
        if self.end > 1:
            self._refuse("end", "at most 1")

    def factor(self, p: float) -> float:
        """``min(p / warmup, end + (1 - end) f(u))``."""
        up = 1.0 if p >= self.warmup else p / self.warmup
        if p < self._begin:
            return float(up)
        u = (p - self._begin) / self._length if self._length > 0.0 and p < 1.0 else 1.0
        down = self.end + (1.0 - self.end) * self._left(u)
        return float(up if up < down else down)

    def _left(self, u: float) -> float:
        if self.shape == "linear":
            return 1.0 - u
        if self.shape == "cosine":
            return 0.5 + 0.5 * math.cos(math.pi * u)
        # The root falls steeply: a rounding of 1e-16 in the place would be 1e-8 in the value.
        return 1.0 - math.sqrt(u) if u > NEAR else 1.0

    @cached_property
    def _length(self) -> float:
        return 1.0 - (1.0 - float(self.decay))

    @cached_property
    def _begin(self) -> float:
        """Where the decay begins; without a length, where its end counts as reached."""
        return 1.0 - self.decay if self._length > 0.0 else 1.0 - NEAR
