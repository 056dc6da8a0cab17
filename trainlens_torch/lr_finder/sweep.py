"""What a sweep of learning rates tells: its smoothed curve, and the rate that it speaks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainlens.stats.ema import ema
from trainlens.stats.noise import MAD_TO_SIGMA

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FEWEST", "LRFound", "judge_sweep"]

Floats = NDArray[np.float64]

_ALPHA = 0.2
"""Weight of the newest loss in the average."""
FEWEST = 20
"""Losses below which there is nothing to judge."""
_NOISE = 10.0
"""Standard errors that the curve has to fall by. The lowest of a hundred averages of pure noise
lies up to 8 below their beginning: fewer would find a valley in nothing."""
_SMALLEST_FALL = 1e-3
"""Fall below which a curve is flat, as a share of its first loss; for curves without noise."""
_APART = _WIDTH = 5
_AHEAD, _BEHIND = 0.1, 0.9
"""Shares of the fall between which it counts as falling."""


@dataclass(frozen=True, eq=False)
class LRFound:
    """Result of `find_lr`.

    Parameters
    ----------
    lrs, losses : ndarray of shape (n,)
        Rates tried and the loss of the batch before its update, up to where the sweep ended.
    smoothed : ndarray of shape (n,)
        What was judged. NaN where the loss was not finite.
    steepest : float or None
        Rate at which the smoothed loss falls fastest per decade. None where nothing is suggested.
    valley : float or None
        Rate two thirds along the longest fall of the smoothed loss, in decades.
    suggestion : float or None
        The rate to begin with; None where the curve does not tell.
    why : str
        How the suggestion was found, or why there is none and what to do.
    """

    lrs: Floats
    losses: Floats
    smoothed: Floats
    steepest: float | None
    valley: float | None
    suggestion: float | None
    why: str

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve and its suggestion, into `ax` or a new figure."""
        from trainlens_torch.lr_finder.picture import draw

        return draw(self, ax)


def judge_sweep(lrs: ArrayLike, losses: ArrayLike) -> LRFound:
    """Which learning rate a sweep speaks for, if any.

    The loss is averaged exponentially (weight 0.2, weights divided by their sum so that neither
    end is pulled towards 0), forwards and backwards, so that the average lags behind on neither
    side. It is judged from the first rate to its minimum, over the logarithm of the rate:

    - `steepest` is where it falls fastest;
    - `valley` lies two thirds along the stretch in which it goes from 10 to 90 % of its fall;
    - `suggestion` is the valley, if the fall is 10 standard errors of the average or more (noise
      from the differences of successive losses) and a thousandth of the first loss, and both ends
      of it lie inside the sweep. Otherwise it is None, and `why` says what to change.

    Parameters
    ----------
    lrs, losses : array_like of shape (n,)
        Rates above 0, rising; losses that are not finite are left out.

    Returns
    -------
    LRFound

    Raises
    ------
    ValueError
        Lengths that differ, or rates that are not above 0 and rising.

    Examples
    --------
    >>> lrs = np.geomspace(1e-5, 1, 60)
    >>> found = judge_sweep(lrs, 2.0 - np.tanh(np.log10(lrs) + 3) + 100 * lrs**2)
    >>> f"{found.steepest:.1e} {found.suggestion:.1e}"
    '8.9e-04 9.5e-04'
    """
    rates, raw = np.asarray(lrs, np.float64), np.asarray(losses, np.float64)
    if rates.shape != raw.shape or rates.ndim != 1:
        raise ValueError(f"{raw.size} losses for {rates.size} rates")
    if not ((rates > 0).all() and (np.diff(rates) > 0).all()):
        raise ValueError("the rates of a sweep are above 0 and rise")
    good = np.isfinite(raw)
    smoothed = np.full(raw.shape, np.nan)
    if good.sum() < FEWEST:
        why = (
            f"only {good.sum()} finite losses, {FEWEST} are needed: lower `low`, or give more "
            "batches or updates"
        )
        return LRFound(rates, raw, smoothed, None, None, None, why)
    curve = _Curve.of(rates[good], raw[good])
    smoothed[good] = curve.smoothed
    refused = curve.refused()
    if refused:
        return LRFound(rates, raw, smoothed, None, None, None, refused)
    steepest, valley = curve.steepest(), curve.valley()
    why = f"two thirds along the fall of the loss from {curve.start:.4g} to {curve.lowest:.4g}"
    if curve.error > 0:
        why += f", {curve.fall / curve.error:.0f} standard errors of its noise"
    return LRFound(rates, raw, smoothed, steepest, valley, valley, why)


@dataclass(frozen=True, eq=False)
class _Curve:
    """A smoothed sweep and what is read off it; ``decades`` is the logarithm of the rate."""

    decades: Floats
    smoothed: Floats
    start: float
    error: float
    """Standard error of a smoothed loss."""

    @classmethod
    def of(cls, rates: Floats, raw: Floats) -> _Curve:
        early = raw[: max(FEWEST, len(raw) // 2)]
        noise = max(_noise(early, 1), _noise(early, _APART))
        # What explodes at the end must not reach back into the valley, nor one odd batch make it.
        first = float(np.median(raw[:10]))
        near = _running_median(raw, 5)
        capped = np.clip(raw, near - 3.0 * noise, np.minimum(near + 3.0 * noise, first + 4 * noise))
        smoothed = (ema(capped, _ALPHA) + ema(capped[::-1], _ALPHA)[::-1]) / 2.0
        at = int(np.argmin(smoothed))
        keep = (1.0 - _ALPHA) ** 2
        error = noise * _ALPHA * math.sqrt(1.0 + keep / (1.0 - keep) / 2.0)
        return cls(np.log10(rates), smoothed, float(smoothed[: max(5, at // 4)].mean()), error)

    @property
    def bottom(self) -> int:
        return int(np.argmin(self.smoothed))

    @property
    def lowest(self) -> float:
        return float(self.smoothed[self.bottom])

    @property
    def fall(self) -> float:
        return self.start - self.lowest

    def at(self, share: float) -> int:
        """Last point before the bottom at which less than a share of the fall is done."""
        above = np.flatnonzero(self.smoothed[: self.bottom + 1] > self.start - share * self.fall)
        return int(above[-1]) if len(above) else 0

    def refused(self) -> str:
        """Why the curve does not tell; empty where it does."""
        if self.fall < _NOISE * self.error or self.fall <= _SMALLEST_FALL * abs(self.start):
            told = f"the loss falls by {max(self.fall, 0.0):.3g} from {self.start:.4g}"
            if self.error > 0:
                told += f", {max(self.fall, 0.0) / self.error:.1f} standard errors of its noise"
            return told + ": give larger batches, more updates or another range, or check the model"
        if self.bottom >= len(self.smoothed) - 3:
            return "the loss still falls at the largest rate: raise `high`"
        falling = float(self.smoothed[0]) - self.start > max(_AHEAD * self.fall, 4.0 * self.error)
        if falling or self.at(_AHEAD) < _WIDTH:
            return "the loss falls from the smallest rate on: lower `low`"
        return ""

    def steepest(self) -> float:
        """Rate at which the loss falls fastest, within the fall."""
        begin, end = self.at(_AHEAD), self.at(_BEHIND) + 2
        slope = np.gradient(self.smoothed, self.decades)[begin:end]
        return float(10.0 ** self.decades[begin + int(np.argmin(slope))])

    def valley(self) -> float:
        """Rate two thirds along the fall."""
        begin, end = self.decades[self.at(_AHEAD)], self.decades[self.at(_BEHIND)]
        return float(10.0 ** (begin + (end - begin) * 2.0 / 3.0))


def _noise(raw: Floats, apart: int) -> float:
    """Standard deviation of the noise, from differences of losses some updates apart."""
    return float(np.median(np.abs(raw[apart:] - raw[:-apart]))) * MAD_TO_SIGMA / math.sqrt(2.0)


def _running_median(raw: Floats, width: int) -> Floats:
    padded = np.pad(raw, width // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
