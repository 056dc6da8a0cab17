"""The parts of a schedule: its first rise, its hold, its fall, and the shape of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.stats.outline import Floats, Outline
from trainlens.stats.shapes import Fit, fit, line_error

_EXACT = 4e-4
"""What a formula leaves of an unrounded curve, as share of its fall: the grid is that fine."""


@dataclass(frozen=True)
class Rise:
    """A first rise.

    Parameters
    ----------
    start, length : float
        Steps.
    low : float
        Value that it begins at, as share of the peak.
    curved, cosine : bool
        Whether it is no straight line, and whether it is half a cosine.
    error : float
        Root mean square around a straight line.
    """

    start: float
    length: float
    low: float
    curved: bool
    cosine: bool
    error: float


@dataclass(frozen=True)
class Fall:
    """Where a fall ends: its last point, and the step since which the value is constant."""

    end: int
    tail: float | None


@dataclass(frozen=True)
class Found:
    """A family, its fit, and the step at which the fall ends (NaN where it never does)."""

    family: str
    fit: Fit
    end: float


def rise_of(x: Floats, y: Floats, a: int, b: int) -> Rise:
    """The rise from point `a` to point `b`, whose length ends between two points.

    Parameters
    ----------
    x, y : ndarray of shape (m,)
    a, b : int
    """
    px, py = x[a : b + 1], y[a : b + 1]
    top, low = float(py[-1]), float(py[0])
    inner = slice(0, -1) if len(px) >= 5 else slice(None)
    error = line_error(px[inner], py[inner])
    curved = len(px) >= 5 and error > 0.01 * (top - low)
    length = float(px[-1] - px[0])
    if not curved and len(px) >= 3 and py[-2] > low:
        pace = (float(py[-2]) - low) / float(px[-2] - px[0])
        length = min(max((top - low) / pace, float(px[-2] - px[0])), length)
    return Rise(float(px[0]), length, low, curved, curved and _half_cosine(px, py, error), error)


def _half_cosine(x: Floats, y: Floats, error: float) -> bool:
    mirrored = fit("cosine", x[-1] - x[::-1], y[::-1], free=0.1)
    swing = float(y[-1] - y[0])
    return mirrored.error < min(0.012 * swing, 0.3 * error) and mirrored.horizon < 1.15


def fall_of(o: Outline, first: int) -> Fall | None:
    """The fall from the point `first` on, without the constant tail behind it.

    Returns
    -------
    Fall, or None with fewer than 4 points before the tail
    """
    last = len(o.y) - 1
    apart = np.flatnonzero(np.abs(o.y - o.y[-1]) > 1e-6)
    end = int(apart[-1])
    span = float(o.x[end] - o.x[first])
    flat = float(o.x[last] - o.x[min(end + 1, last)])
    # The end of a rounded cosine is flat as well.
    if last - end >= 4 and flat > max(0.02, 0.64 * float(np.sqrt(2 * o.tau))) * span:
        return Fall(end, float(o.x[end + 1])) if end - first >= 3 else None
    end = end if last - end >= 2 else last
    return Fall(end, None) if end - first >= 3 else None


def hold_of(o: Outline, first: int, fall: Fall) -> int:
    """Last point of the stretch at the peak that begins at `first`."""
    below = np.flatnonzero(o.y[first : fall.end + 1] < o.y[first] - max(2 * o.tau, 1e-6))
    return first + int(below[0]) - 1 if len(below) else fall.end


def shape_of(
    o: Outline, a: int, b: int, *, only: tuple[str, ...] = (), rooted: bool = False
) -> Found | None:
    """Family that the fall from point `a` to point `b` follows, None where no single one does.

    Parameters
    ----------
    o : Outline
    a, b : int
    only : tuple of str
        Try these alone, and ask for no more than that they fit.
    rooted : bool
        Also try ``1 - sqrt(t)``, the decay of warmup-stable-decay.
    """
    a = a + 1 if b - a >= 9 else a
    x, y = o.x[a : b + 1], o.y[a : b + 1]
    span, swing = float(x[-1] - x[0]), float(y.max() - y.min())
    if len(x) < 4 or o.tau > 0.02 * swing:
        return None
    noise = max(0.6 * o.tau, _EXACT * swing)
    free = min(2.2 / (len(x) - 1), 0.3) + 0.005
    if not only:
        line = fit("linear", x, y)
        if line.error <= noise:
            return _named("linear", line, float(x[0]), span)
    if len(x) < 6:
        return None
    least = max(0.6 * o.tau, 2e-5 * swing)
    fits: list[Fit] = []
    for shape in only or (
        "cosine",
        "exponential",
        "polynomial",
        "inverse-sqrt",
        *["root"] * rooted,
    ):
        fits.append(fit(shape, x, y, free=free))
        if _beyond_doubt(fits[-1], least):
            return _named(shape, fits[-1], float(x[0]), span)
    fits.sort(key=lambda f: f.error)
    limit = max(0.01 * swing, 1.5 * o.tau)
    chosen = _chosen([f for f in fits if f.error <= limit], fits, noise, least)
    if chosen is None or (only and chosen.error > 1.5 * noise):
        return None
    family = "linear" if chosen.shape == "polynomial" and 0.97 < chosen.power < 1.03 else ""
    return _named(family or chosen.shape, chosen, float(x[0]), span)


def _beyond_doubt(found: Fit, least: float) -> bool:
    """Whether a shape of few numbers fits a long part of itself as well as the log tells."""
    if found.error > 3 * least:
        return False
    if found.shape == "cosine":
        return found.horizon < 2.0
    return found.shape == "exponential" and found.floor == 0.0 and found.falls > 1.0


def _chosen(near: list[Fit], fits: list[Fit], noise: float, least: float) -> Fit | None:
    if not near:
        return None
    # A polynomial of free power can follow others; a formula without a free floor cannot.
    plain = [
        f for f in fits
        if f.error <= 1.5 * noise and f.shape != "polynomial"
        and (f.shape in ("cosine", "root") or f.floor == 0.0)
    ]  # fmt: skip
    if len(plain) == 1:
        return plain[0]
    if len(plain) > 1:
        return plain[0] if plain[1].error > 2.5 * plain[0].error else None
    best = near[0]
    others = [f for f in fits if f.shape != best.shape]
    return best if not others or others[0].error > 2.5 * max(best.error, least) else None


def _named(family: str, found: Fit, start: float, span: float) -> Found:
    return Found(family, found, start + found.horizon * span)


@dataclass(frozen=True)
class Common:
    """What stretches have in common: ``linear`` or ``cosine``, its error, whether they end."""

    shape: str
    error: float
    whole: bool


def common_shape(o: Outline, spans: list[tuple[int, int]]) -> Common | None:
    """Whether stretches are straight lines or halves of a cosine, all of them.

    Parameters
    ----------
    o : Outline
    spans : list of (top, bottom)
        Points; a rise has its top behind its bottom. The last one may be cut.

    Returns
    -------
    Common, or None where neither or both fit
    """
    lines, waves, whole = [], [], []
    longest = sorted(range(len(spans)), key=lambda i: -abs(spans[i][1] - spans[i][0]))[:5]
    for i in longest:
        x, y, flat = _from_top(o, *spans[i])
        if len(x) < 4:
            continue
        swing = max(float(y.max() - y.min()), 1e-12)
        lines.append(line_error(x, y) / swing)
        if len(x) >= 6:
            free = min(2.2 / (len(x) - 1), 0.3) + 0.005
            found = fit("cosine", x, y, free=free)
            waves.append(found.error / swing)
            if i < len(spans) - 1:
                whole.append(flat or found.horizon < 1.06 + free)
    if not lines:
        return None
    line = float(np.median(lines))
    wave = float(np.median(waves)) if waves else np.inf
    small = max(0.01, 2 * o.tau)
    if line <= small and (wave > 2.5 * line or line < 2e-3):
        return Common("linear", line, True)
    return Common("cosine", wave, all(whole)) if wave <= small and line > 2.5 * wave else None


def _from_top(o: Outline, top: int, bottom: int) -> tuple[Floats, Floats, bool]:
    """A stretch from its top on, and whether a constant bottom was cut off."""
    if top > bottom:
        x, y = o.x[top] - o.x[bottom : top + 1][::-1], o.y[bottom : top + 1][::-1]
    else:
        x, y = o.x[top : bottom + 1] - o.x[top], o.y[top : bottom + 1]
    end = int(np.flatnonzero(y > y[-1] + 1e-6)[-1]) + 1
    flat = end < len(y) - 1
    x, y = (x[:end], y[:end]) if flat else (x, y)
    # The ends may be means over a turn.
    return (x[1:-1], y[1:-1], flat) if len(x) >= 6 else (x, y, flat)
