"""Schedule recognition on random schedules: the share right, wrong and unknown by family.

``python -m benchmarks.diagnosis.schedules [--each N] [--seed S]`` prints the table. The schedules
are random in length (30 to a million points), logging interval, warmup (none to 20 %, linear or
curved), floor (0 to 50 %, approached or clipped), restarts and their growth, power, peak, the
point at which the log is cut (30 to 100 % of the horizon), the rounding of the log and whether it
holds means over an interval. Formulas here are written anew, not taken from trainlens.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.schedule import recognise

Floats = NDArray[np.float64]
Rng = np.random.Generator


def linear(t: Floats, rng: Rng) -> Floats:
    """A straight line to zero."""
    return 1.0 - t


def cosine(t: Floats, rng: Rng) -> Floats:
    """Half a period."""
    return 0.5 * (1.0 + np.cos(np.pi * t))


def polynomial(t: Floats, rng: Rng) -> Floats:
    """Of the powers that recipes use."""
    return np.asarray((1.0 - t) ** rng.choice([0.5, 0.9, 2.0, 3.0]))


def exponential(t: Floats, rng: Rng) -> Floats:
    """To 0.1-30 % of the peak."""
    return np.asarray(np.exp(t * np.log(10 ** rng.uniform(-3, -0.5))))


def inverse_sqrt(t: Floats, rng: Rng) -> Floats:
    """From a time scale of 0.5-20 % of the horizon on."""
    return np.asarray((1.0 + t / 10 ** rng.uniform(-2.3, -0.7)) ** -0.5)


def constant(t: Floats, rng: Rng) -> Floats:
    """At the peak throughout."""
    return np.ones_like(t)


def step(t: Floats, rng: Rng) -> Floats:
    """Two to five drops, regular or not, or as a plateau scheduler makes them."""
    drops = int(rng.integers(1, 6))
    at = np.arange(1, drops + 1) / (drops + 1)
    if rng.random() < 0.5:
        at = np.sort(rng.uniform(0.1, 0.95, drops))
    gamma = rng.choice([0.1, 0.2, 0.3, 0.5, 0.7])
    return np.asarray(gamma ** np.searchsorted(at, t, side="right").astype(float))


def warmup_stable_decay(t: Floats, rng: Rng) -> Floats:
    """Constant, then down within the last 10-40 %."""
    begin = rng.uniform(0.6, 0.9)
    u = np.clip((t - begin) / (1 - begin), 0, 1)
    shape = rng.integers(3)
    return np.asarray((1 - u, 1 - np.sqrt(u), 0.5 + 0.5 * np.cos(np.pi * u))[shape])


def cosine_restarts(t: Floats, rng: Rng) -> Floats:
    """Three to six cycles, as long as the one before or longer, as high or lower."""
    growth, height = rng.choice([1.0, 1.5, 2.0]), rng.choice([1.0, 1.0, 0.8])
    length = growth ** np.arange(rng.integers(2, 6) if growth > 1 else rng.integers(3, 7))
    edge = np.concatenate([[0.0], np.cumsum(length) / length.sum()])
    cycle = np.clip(np.searchsorted(edge, t, side="right") - 1, 0, len(length) - 1)
    u = (t - edge[cycle]) / np.diff(edge)[cycle]
    return np.asarray(height**cycle * 0.5 * (1.0 + np.cos(np.pi * np.clip(u, 0, 1))))


def cyclic(t: Floats, rng: Rng) -> Floats:
    """Triangles up and down, of equal or halved height."""
    phase = t * rng.integers(3, 8)
    cycle = np.floor(phase)
    height = 0.8**cycle if rng.random() < 0.3 else 1.0
    return np.asarray(height * (1 - np.abs(2 * (phase - cycle) - 1)))


def one_cycle(t: Floats, rng: Rng) -> Floats:
    """Up within 30 %, then down below the start."""
    begin = 1 / rng.choice([10, 25])
    share = rng.choice([0.25, 0.3, 0.4])
    up, down = np.clip(t / share, 0, 1), np.clip((t - share) / (1 - share), 0, 1)
    if rng.random() < 0.5:
        up, down = 0.5 - 0.5 * np.cos(np.pi * up), 0.5 - 0.5 * np.cos(np.pi * down)
    return np.asarray(np.where(t < share, begin + (1 - begin) * up, 1 - down * (1 - begin * 1e-4)))


MAKERS: dict[str, Callable[[Floats, Rng], Floats]] = {
    "constant": constant, "linear": linear, "cosine": cosine, "cosine-restarts": cosine_restarts,
    "polynomial": polynomial, "exponential": exponential, "inverse-sqrt": inverse_sqrt,
    "step": step, "warmup-stable-decay": warmup_stable_decay, "one-cycle": one_cycle,
    "cyclic": cyclic,
}  # fmt: skip
SMOOTH = frozenset({"linear", "cosine", "polynomial", "exponential", "inverse-sqrt"})
"""Families that show themselves before their horizon; of the others the log holds most."""


def draw(family: str, rng: Rng) -> tuple[NDArray[np.int64], Floats]:
    """A random logged schedule of a family: steps and values."""
    n = int(np.exp(rng.uniform(np.log(30), np.log(1e6 if rng.random() < 0.15 else 3e4))))
    cut = 1.0 if rng.random() < 0.5 else rng.uniform(0.3, 1.0)
    if family not in SMOOTH and family != "constant":
        cut = max(cut, 0.97)
    if family in ("cosine-restarts", "cyclic"):
        n = max(n, 90)
    interval = int(rng.choice([1, 10, 50, 100]))
    warm = (
        0.0 if family in ("one-cycle", "cyclic") else float(rng.choice([0, 0.01, 0.05, 0.1, 0.2]))
    )
    if rng.random() < 0.3:
        warm *= rng.uniform(0.5, 1.0)
    fine = 8 if rng.random() < 0.25 else 1  # means over an interval, or single values
    p = (np.arange(n * fine) + 0.5 * (fine > 1)) / (n * fine) * cut
    t = np.clip((p - warm) / (1 - warm), 0, 1)
    floor = 0.0 if rng.random() < 0.4 else rng.uniform(0, 0.5)
    value = MAKERS[family](t, rng)
    if family != "one-cycle":
        value = np.maximum(value, floor) if rng.random() < 0.3 else floor + (1 - floor) * value
    if warm:
        begin = rng.choice([0.0, 1e-3, 0.1])
        up = np.clip(p / warm, 0, 1) ** rng.choice([1.0, 1.0, 1.0, 2.0])
        value = np.where(p < warm, begin + (value[0] - begin) * up, value)
    value = value.reshape(n, fine).mean(axis=1) * 10 ** rng.uniform(-6, 0)
    form = rng.choice(["%.4e", "%.4e", "float32", "float64"])
    if form == "float32":
        value = value.astype(np.float32).astype(np.float64)
    elif form == "%.4e":
        with np.errstate(divide="ignore"):
            digits = np.floor(np.log10(np.where(value > 0, value, 1.0)))
        value = np.round(value / 10**digits, 4) * 10**digits
    return (np.arange(n) + int(rng.integers(2))) * interval, value


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=100, help="schedules of each family")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    total: Counter[str] = Counter()
    print(f"{'family':20} {'right':>6} {'unknown':>8} {'wrong':>6}  taken for")
    for family in MAKERS:
        rng = np.random.default_rng([given.seed, *family.encode()])
        said = Counter(recognise(*draw(family, rng)).family for _ in range(given.each))
        right, unknown = said.pop(family, 0), said.pop("unknown", 0)
        wrong = sum(said.values())
        total.update(right=right, unknown=unknown, wrong=wrong)
        print(f"{family:20} {right:6d} {unknown:8d} {wrong:6d}  "
              + ", ".join(f"{k} {v}" for k, v in said.most_common()), flush=True)  # fmt: skip
    count = total.total()
    shares = f"{total['right'] / count:.1%} right, {total['wrong'] / count:.1%} wrong of {count}"
    print(f"{'all':20} {total['right']:6d} {total['unknown']:8d} {total['wrong']:6d}  {shares}")


if __name__ == "__main__":
    main()
