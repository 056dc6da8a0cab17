"""Shapes that a schedule can fall by, fitted to a stretch of a curve.

A shape is ``floor + (peak - floor) f(t)``: its floor and peak follow by least squares, what is
left (a horizon, a rate, a power) is searched on a grid that narrows down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POINTS = 48
_ROUNDS = 3
_STEPS = 8


@dataclass(frozen=True)
class Fit:
    """A shape fitted to a falling stretch.

    Parameters
    ----------
    shape : str
        One of `SHAPES`.
    error : float
        Root mean square of what it leaves, unit of the values.
    floor, peak : float
        Values that it falls to in the end, and from.
    horizon : float
        Length of the whole fall as a multiple of the stretch; NaN for shapes without an end.
    power : float
        Of a polynomial, else 1.
    falls : float
        Time constants of an exponential within the stretch.
    """

    shape: str
    error: float
    floor: float
    peak: float
    horizon: float = float("nan")
    power: float = 1.0
    falls: float = 0.0


def thinned(x: Floats, y: Floats, most: int = _POINTS) -> tuple[Floats, Floats]:
    """At most so many of the points, evenly over their number, both ends among them."""
    if len(x) <= most:
        return x, y
    at = np.linspace(0, len(x) - 1, most).round().astype(np.intp)
    return x[at], y[at]


def line_error(x: Floats, y: Floats) -> float:
    """Root mean square around a straight line."""
    away, centre = x - x.mean(), y - y.mean()
    spread = float(away @ away)
    rest = centre - (float(away @ centre) / spread if spread > 0 else 0.0) * away
    return float(np.sqrt(rest @ rest / max(len(x), 1)))


def _cosine(t: Floats, grid: Floats) -> Floats:
    moved = np.clip((t - grid[1][:, None]) / (grid[0] - grid[1])[:, None], 0.0, 1.0)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * moved))


def _polynomial(t: Floats, grid: Floats) -> Floats:
    return np.asarray(np.clip(1.0 - t / grid[0][:, None], 0.0, 1.0) ** grid[1][:, None])


def _exponential(t: Floats, grid: Floats) -> Floats:
    return np.asarray(np.exp(-t * grid[0][:, None]))


def _inverse_sqrt(t: Floats, grid: Floats) -> Floats:
    return np.asarray((1.0 + np.maximum(t, 0.0) / grid[0][:, None]) ** -0.5)


def _root(t: Floats, grid: Floats) -> Floats:
    return np.asarray(1.0 - np.sqrt(np.clip(t / grid[0][:, None], 0.0, 1.0)))


@dataclass(frozen=True)
class _Family:
    """A basis f(t; a, b), the limits of its two numbers, and how many of each are tried."""

    basis: Callable[[Floats, Floats], Floats]
    first: tuple[float, float, int]
    second: tuple[float, float, int] = (0.0, 0.0, 1)
    ends: bool = True


_FAMILIES = {
    # The start of a cosine is flat: where the log has no point, it is found by a second number.
    "cosine": _Family(_cosine, (0.98, 5.0, 24), (-0.04, 0.04, 3)),
    "polynomial": _Family(_polynomial, (1.0, 5.0, 14), (0.3, 5.0, 14)),
    "exponential": _Family(_exponential, (0.02, 40.0, 30), ends=False),
    "inverse-sqrt": _Family(_inverse_sqrt, (2e-5, 30.0, 36), ends=False),
    "root": _Family(_root, (1.0, 4.0, 16)),
}
SHAPES = ("linear", *_FAMILIES)


def fit(shape: str, x: Floats, y: Floats, *, free: float = 0.04) -> Fit:
    """Fit a shape to a stretch that falls from its first point on.

    Parameters
    ----------
    shape : str
        One of `SHAPES`.
    x, y : ndarray of shape (n,), n >= 3
        Ascending places and finite values.
    free : float
        By how much of the stretch the start of a cosine may lie beside the first point.

    Returns
    -------
    Fit
        With an infinite error where the shape cannot be (a floor below zero).
    """
    x, y = thinned(x, y)
    t = (x - x[0]) / max(float(x[-1] - x[0]), 1e-300)
    if shape == "linear":
        return Fit("linear", line_error(t, y), float(y[-1]), float(y[0]), _crossing(y))
    family = _FAMILIES[shape]
    second = (-free, free, 3) if shape == "cosine" else family.second
    best = _search(family, second, t, y, grounded=False)
    if not family.ends:  # falls to nothing, unless a floor fits far better
        plain = _search(family, second, t, y, grounded=True)
        if plain[0] <= max(1.5 * best[0], 1e-4 * float(y[0] - y[-1])) or best[1] < 0:
            best = plain
    error, floor, swing, a, b = best
    horizon = a if family.ends else float("nan")
    power, falls = b if shape == "polynomial" else 1.0, a if shape == "exponential" else 0.0
    return Fit(shape, error, floor, floor + swing, horizon, power, falls)


def _crossing(y: Floats) -> float:
    """Where the line through both ends would reach zero, as multiple of the stretch."""
    fall = float(y[0] - y[-1])
    return float(y[0]) / fall if fall > 0 else float("nan")


Found = tuple[float, float, float, float, float]


def _search(
    family: _Family, second: tuple[float, float, int], t: Floats, y: Floats, grounded: bool
) -> Found:
    """Best (error, floor, swing, a, b): a grid, a finer one around its best point, then descent."""
    (low, high, count), (left, right, other) = family.first, second
    limits = low, high, left, right
    best: Found = (np.inf, 0.0, 0.0, low, left)
    for _ in range(_ROUNDS):
        a = low * (high / low) ** (np.arange(count) / (count - 1))
        b = left + (right - left) * (np.arange(other) / max(other - 1, 1))
        grid = np.array([a.repeat(other), np.concatenate([b] * count)])
        errors, floors, swings = _solve(family.basis(t, grid), y, grounded)
        i = int(errors.argmin())
        if errors[i] < best[0]:
            best = (
                float(errors[i]), float(floors[i]), float(swings[i]),
                float(grid[0, i]), float(grid[1, i]),
            )  # fmt: skip
        ratio, width = (high / low) ** (1.5 / (count - 1)), (right - left) / max(other - 1, 1)
        low, high = max(best[3] / ratio, limits[0]), min(best[3] * ratio, limits[1])
        left, right = max(best[4] - width, limits[2]), min(best[4] + width, limits[3])
        count, other = min(count, 9), min(other, 5)
    return _descend(family, limits, best, t, y, grounded) if np.isfinite(best[0]) else best


def _descend(
    family: _Family,
    limits: tuple[float, float, float, float],
    best: Found,
    t: Floats,
    y: Floats,
    grounded: bool,
) -> Found:
    """Gauss-Newton from a point near the best one."""
    for _ in range(_STEPS):
        error, floor, swing, a, b = best
        da, db = 1e-6 * a, 1e-6 if limits[3] > limits[2] else 0.0
        here, by_a, by_b = family.basis(t, np.array([[a, a + da, a], [b, b, b + db]]))
        columns = [here, swing * (by_a - here) / da]
        if db:
            columns.append(swing * (by_b - here) / db)
        if not grounded:
            columns.append(np.ones(len(t)))
        move = np.linalg.lstsq(np.stack(columns, axis=1), y - floor - swing * here, rcond=1e-10)[0]
        a = min(max(a + float(move[1]), limits[0]), limits[1])
        b = min(max(b + float(move[2]), limits[2]), limits[3]) if db else b
        errors, floors, swings = _solve(family.basis(t, np.array([[a], [b]])), y, grounded)
        if not errors[0] < error:
            break
        best = (float(errors[0]), float(floors[0]), float(swings[0]), a, b)
        if errors[0] > 0.99 * error or errors[0] < 1e-6 * abs(swing):
            break
    return best


def _solve(basis: Floats, y: Floats, grounded: bool) -> tuple[Floats, Floats, Floats]:
    """Error, floor and swing of each row of a basis by least squares."""
    n = len(y)
    if grounded:
        power = np.einsum("ij,ij->i", basis, basis)
        swing = basis @ y / np.maximum(power, 1e-300)
        floor = np.zeros(len(basis))
    else:
        mean, level = np.add.reduce(basis, axis=1) / n, float(np.add.reduce(y)) / n
        power = np.einsum("ij,ij->i", basis, basis) - n * mean**2
        swing = (basis @ y - n * level * mean) / np.maximum(power, 1e-12)
        floor = level - swing * mean
    rest = y - floor[:, None] - swing[:, None] * basis
    error = np.sqrt(np.einsum("ij,ij->i", rest, rest) / n)
    # A floor below zero is none, nor is a shape that rises.
    wrong = (floor < -0.01 * np.abs(swing)) | (swing <= 0)
    return np.where(wrong, np.inf, error), floor, swing
