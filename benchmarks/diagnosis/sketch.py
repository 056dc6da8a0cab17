"""A run before it is written down: clean curves and their noise apart, so that faults can go in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.diagnosis import curves, noise
from benchmarks.diagnosis.curves import Shape
from benchmarks.diagnosis.noise import Floats, Random
from trainlens.run import Ints, Notice

LONGEST = 20_000
"""Points of most long runs; one in fifty healthy ones has up to a million."""


@dataclass
class Sketch:
    """A run in parts; faults change them in place.

    Parameters
    ----------
    rng : numpy.random.Generator
    families : mapping of str to str
        What it was drawn from: noise, curve, length, width, scale, interval.
    step : ndarray of int64, shape (n,)
    epoch : ndarray of shape (n,)
        NaN where the log has none.
    shape : Shape
        Clean training loss and learning rate.
    wobble : ndarray of shape (n,)
        Noise: of the logarithm, or in units of the whole fall where the loss crosses zero.
    scale : float
    evaluations : ndarray of int64, shape (m,)
        Points at which there is a validation, possibly none.
    held : ndarray of shape (m,)
        Clean validation loss.
    flutter : ndarray of shape (m,)
        Its noise.
    sides : mapping of name to (points, values)
        Other series, at some points each.
    config : mapping
        What the header of the log holds.
    notices : tuple of Notice
        What a reader had to say.
    pause : (int, float), optional
        A point before which nothing is logged for so large a share of the time of all the rest.
    logs_rate : bool
        Whether the learning rate is logged, with this `peak` or any.
    resumes : (int, int), optional
        The run ends at the first of these points and goes on from the second.
    """

    rng: Random
    families: dict[str, str]
    step: Ints
    epoch: Floats
    shape: Shape
    wobble: Floats
    scale: float
    evaluations: Ints
    held: Floats
    flutter: Floats
    sides: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    pause: tuple[int, float] | None = None
    logs_rate: bool = False
    peak: float | None = None
    resumes: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.step)

    @property
    def place(self) -> Floats:
        """Share of the run at each point, shape (n,)."""
        return np.linspace(0.0, 1.0, len(self))

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise of the training loss."""
        return float(self.wobble.std())

    def error(self, points: int) -> float:
        """Standard error of a mean of the training loss over so many points."""
        return noise.error_of_mean(self.wobble, points)

    def slope_error(self, points: int) -> float:
        """Standard error of the fall along a line through so many points."""
        return float(np.sqrt(12.0)) * self.error(points)

    def everywhere(self) -> Ints:
        """Every point."""
        return np.arange(len(self), dtype=np.int64)

    def within(self, low: float, high: float, margin: int = 0) -> int:
        """A point between two shares of the run, `margin` points from its ends."""
        a, b = max(margin, int(low * len(self))), min(len(self) - margin, int(high * len(self)))
        return int(self.rng.integers(a, max(a + 1, b)))


@dataclass(frozen=True)
class Wish:
    """What a fault needs of the run that it is put into.

    Parameters
    ----------
    curves : sequence of str
        Families of curves; empty for any.
    least, longest : int
        Bounds of its points.
    evaluations : (int, int)
        Bounds of its evaluations; (0, 0) leaves it to chance.
    crossing : bool
        Whether the loss may cross zero.
    quiet : float
        Largest width of the noise.
    """

    curves: Sequence[str] = ()
    least: int = 60
    longest: int = LONGEST
    evaluations: tuple[int, int] = (0, 0)
    crossing: bool = False
    quiet: float = 0.2


def draw(rng: Random, wish: Wish, sealed: bool = False, longest: int = LONGEST) -> Sketch:
    """A healthy run of random families.

    Parameters
    ----------
    rng : numpy.random.Generator
    wish : Wish
    sealed : bool
        Draw two in three from the families that development never sees.
    longest : int
        Bound of the points, beside that of the wish.
    """
    top = max(wish.least + 1, min(wish.longest, longest))
    n = int(np.exp(rng.uniform(np.log(wish.least), np.log(top))))
    epochs = int(rng.integers(2, 30))
    sigma = float(np.exp(rng.uniform(np.log(0.002), np.log(wish.quiet))))
    kind = _pick(rng, noise.OPEN, noise.SEALED, sealed)
    form = _curve(rng, wish, sealed)
    shape = _FORMS[form](n, rng)
    epoch = max(2, n // epochs)
    power = int(rng.integers(-6, 7))
    interval = int(rng.choice((7, 37, 333) if sealed else (1, 1, 10, 50, 100, 1000)))
    families = {
        "noise": kind, "curve": form, "width": _band(sigma, (0.01, 0.05)), "scale": f"1e{power}",
        "length": _band(n, (200, 2000)), "interval": str(interval),
    }  # fmt: skip
    step = _steps(rng, n, interval, families)
    wobble = sigma * _NOISES[kind](n, epoch, rng)
    evaluations = _evaluations(rng, n, wish)
    m = len(evaluations)
    width = sigma * rng.uniform(0.2, 1.0)
    flutter = width * noise.OPEN[str(rng.choice(("white", "t4", "ar5")))](m, max(2, m // 5), rng)
    held = _held(rng, shape, evaluations)
    counted = np.arange(n) / epoch if rng.random() < 0.4 else np.full(n, np.nan)
    scale = 10.0**power * rng.uniform(1.0, 9.0)
    return Sketch(
        rng, families, step, counted, shape, wobble, scale, evaluations, held, flutter,
        logs_rate=bool(rng.random() < 0.5),
    )  # fmt: skip


_NOISES = noise.OPEN | noise.SEALED
_FORMS = curves.OPEN | curves.SEALED


def _pick(
    rng: Random, open_: dict[str, noise.Family], held_out: dict[str, noise.Family], sealed: bool
) -> str:
    names = list(held_out) if sealed and rng.random() < 0.67 else list(open_)
    return str(rng.choice(names))


def _curve(rng: Random, wish: Wish, sealed: bool) -> str:
    if wish.curves:
        return str(rng.choice(list(wish.curves)))
    names = [n for n in curves.OPEN if wish.crossing or n != "crossing"]
    return str(rng.choice(list(curves.SEALED) if sealed and rng.random() < 0.67 else names))


def _band(value: float, edges: tuple[float, float]) -> str:
    if value < edges[0]:
        return f"< {edges[0]:g}"
    return f"< {edges[1]:g}" if value < edges[1] else f">= {edges[1]:g}"


def _steps(rng: Random, n: int, interval: int, families: dict[str, str]) -> Ints:
    if rng.random() < 0.8:
        return np.arange(1, n + 1, dtype=np.int64) * interval
    families["interval"] = "irregular"
    return np.cumsum(rng.integers(1, 2 * interval + 1, n)).astype(np.int64)


def _evaluations(rng: Random, n: int, wish: Wish) -> Ints:
    low, high = wish.evaluations
    if not high:
        if rng.random() < 0.5:
            return np.empty(0, np.int64)
        low, high = 8, 100
    count = int(rng.integers(low, max(low + 1, min(high, n // 2) + 1)))
    at = np.linspace(0, n - 1, count + 1)[1:].astype(np.int64)
    return np.unique(at)


def _held(rng: Random, shape: Shape, at: Ints) -> Floats:
    """Validation follows: a constant gap, a share of the level, or both at once."""
    level = (shape.level if shape.elsewhere is None else shape.elsewhere)[at]
    if shape.crosses or rng.random() < 0.5:
        return level + rng.uniform(0.0, 0.3)
    return level * rng.uniform(1.0, 1.3)
