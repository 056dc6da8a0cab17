"""Trend rules on labelled runs: false warnings on healthy ones, recall on faults.

``python -m benchmarks.diagnosis.trend_faults [--runs N] [--seed S]`` prints the table. A fault is
"clear" where an observer who knew its shape would be sure of it: those count for recall. The
others are listed as "faint".
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.diagnosis.curves import NOISES, Floats, noise, power_law
from trainlens.rules.base import Severity, registered
from trainlens.run import Chunk, Column, Run, unknown

RULES = (
    "stagnation", "never-learned", "overfitting", "gap-growth", "slow-batch", "low-coverage",
    "polarized-gate", "step-rewind",
)  # fmt: skip
# Variance of a mean relative to white noise, of each kind.
INFLATION = {"ar5": 3.0, "ar9": 19.0}


@dataclass
class Setting:
    """How a run is noisy, long, scaled and logged."""

    rng: np.random.Generator
    kind: str
    sigma: float
    n: int
    scale: float
    interval: int

    @classmethod
    def draw(cls, rng: np.random.Generator, longest: int) -> Setting:
        """A random setting."""
        return cls(
            rng,
            str(rng.choice(NOISES)),
            float(np.exp(rng.uniform(np.log(0.002), np.log(0.2)))),
            int(np.exp(rng.uniform(np.log(60), np.log(longest)))),
            float(10.0 ** rng.uniform(-6, 6)),
            int(rng.choice([1, 1, 10, 50, 100])),
        )

    def noisy(self, curve: Floats, n: int = 0) -> Floats:
        """A curve under this noise and scale."""
        level = np.exp(noise(self.kind, n or len(curve), self.sigma, self.rng))
        return np.asarray(self.scale * curve * level, np.float64)

    def error(self, points: int) -> float:
        """Standard error of the fall along a line through so many points."""
        return self.sigma * float(np.sqrt(12 * INFLATION.get(self.kind, 1.0) / max(points, 1)))


@dataclass
class Case:
    """A run and what is wrong with it."""

    columns: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    clear: bool = True

    def run(self) -> Run:
        """As a reader would hand it over."""
        made = [
            Column(name, step.astype(np.int64), value, unknown(len(step)), unknown(len(step)))
            for name, (step, value) in self.columns.items()
        ]
        return Run("case", "case", "synthetic").extend(Chunk(tuple(made)))


def _steps(s: Setting) -> Floats:
    return np.asarray((1.0 + np.arange(s.n)) * s.interval, np.float64)


def _evaluations(s: Setting) -> tuple[Floats, Floats]:
    """Steps of 8 to 100 evaluations, and the place of each in the run."""
    count = int(s.rng.integers(8, min(100, s.n // 2) + 1))
    at = np.linspace(0, s.n - 1, count + 1)[1:].astype(int)
    return _steps(s)[at], at.astype(np.float64)


def _cosine(s: Setting) -> tuple[Floats, Floats]:
    t = np.linspace(0, 1, s.n)
    rate = (1 + np.cos(np.pi * t)) / 2
    spent = np.cumsum(rate) / rate.sum() * s.n
    whole = power_law(s.n, s.rng)
    return np.interp(spent, np.arange(s.n), whole), rate


def healthy_plain(s: Setting) -> Case:
    """A power law, a constant learning rate, no other series."""
    return Case({"loss": (_steps(s), s.noisy(power_law(s.n, s.rng)))})


def healthy_cosine(s: Setting) -> Case:
    """Flattens because its learning rate follows a cosine, which is logged."""
    curve, rate = _cosine(s)
    return Case({"loss": (_steps(s), s.noisy(curve)), "lr": (_steps(s), 3e-4 * rate)})


def healthy_cosine_unlogged(s: Setting) -> Case:
    """The same without the learning rate in the log."""
    return Case({"loss": (_steps(s), s.noisy(_cosine(s)[0]))})


def healthy_steps(s: Setting) -> Case:
    """Learning rate drops at 50 and 75 %, each with a drop of the loss."""
    t = np.linspace(0, 1, s.n)
    curve, rate = power_law(s.n, s.rng), np.ones(s.n)
    for at in (0.5, 0.75):
        deep = s.rng.uniform(0.05, 0.4)
        curve = curve * (1 - deep * (1 - np.exp(-np.clip(t - at, 0, None) / 0.02)))
        rate = rate * np.where(t > at, 0.1, 1.0)
    case = Case({"loss": (_steps(s), s.noisy(curve))})
    if s.rng.random() < 0.5:
        case.columns["lr"] = (_steps(s), 0.1 * rate)
    return case


def healthy_validated(s: Setting) -> Case:
    """Training and validation fall together; the gap is constant or the validation flattens."""
    curve = power_law(s.n, s.rng)
    step, at = _evaluations(s)
    val = np.interp(at, np.arange(s.n), curve)
    val = val + s.rng.uniform(0, 0.5) if s.rng.random() < 0.5 else val + np.maximum(val, 0.4) * 0.2
    sigma = s.sigma
    s.sigma = sigma * s.rng.uniform(0.2, 1.0)
    noisy = s.noisy(val)
    s.sigma = sigma
    return Case({"loss": (_steps(s), s.noisy(curve)), "val_loss": (step, noisy)})


def healthy_side(s: Setting) -> Case:
    """Coverage, gate and batch times in order, with a few slow first batches."""
    case, step = healthy_plain(s), _steps(s)
    time = s.rng.uniform(0.01, 100) * np.exp(s.rng.normal(0, s.rng.uniform(0.01, 0.3), s.n))
    time[:2] *= 20
    opening = np.linspace(0, 1, s.n) / 0.05
    gate = s.rng.uniform(0.2, 0.8) * np.clip(opening, 0, 1) + s.rng.normal(0, 0.03, s.n)
    share = np.clip(s.rng.uniform(0.5, 0.95) + s.rng.normal(0, 0.1, s.n), 0, 1)
    case.columns |= {
        "batch_time": (step, time), "alpha_mean": (step, np.clip(gate, 0, 1)),
        "valid_ratio": (step, share),
    }  # fmt: skip
    return case


def stagnation(s: Setting) -> Case:
    """Learning stops at 40-60 % of a run whose healthy twin would have gone on."""
    twin = power_law(s.n, s.rng)
    stop = int(s.n * s.rng.uniform(0.4, 0.6))
    curve = np.concatenate([twin[:stop], np.full(s.n - stop, twin[stop])])
    missed = float(np.log(twin[stop] / twin[-1]))
    clear = missed > 0.02 and missed > 6 * s.error(s.n - stop)
    return Case({"loss": (_steps(s), s.noisy(curve))}, clear)


def never_learned(s: Setting) -> Case:
    """Flat from the first step on."""
    return Case({"loss": (_steps(s), s.noisy(np.full(s.n, 1.0)))}, s.error(s.n) < 0.02)


def overfitting(s: Setting) -> Case:
    """Validation turns at 20-70 % of the run and ends 5-80 % above its best."""
    curve = power_law(s.n, s.rng)
    step, at = _evaluations(s)
    share, turn = at / (s.n - 1), s.rng.uniform(0.2, 0.7)
    deep = s.rng.uniform(0.06, 0.8)
    level = np.interp(np.minimum(at, turn * s.n), np.arange(s.n), curve)
    up = np.log1p(deep) * np.clip((share - turn) / (1 - turn), 0, None) ** s.rng.uniform(0.7, 1.5)
    val = level * np.exp(up)
    rise = float(np.log(val[-1] / val.min()))
    sigma, s.sigma = s.sigma, s.sigma * s.rng.uniform(0.2, 1.0)
    widening = s.sigma * np.sqrt(min(INFLATION.get(s.kind, 1.0), len(at) / 3))
    clear = rise > 0.05 and rise > 5 * widening
    noisy = s.noisy(val)
    s.sigma = sigma
    return Case({"loss": (_steps(s), s.noisy(curve)), "val_loss": (step, noisy)}, clear)


def gap_growth(s: Setting) -> Case:
    """Validation flattens at 20-40 % while training falls on."""
    curve = power_law(s.n, s.rng, floor=0.05, exponent=0.6)
    step, at = _evaluations(s)
    turn = s.rng.uniform(0.2, 0.4)
    val = np.interp(np.minimum(at, turn * s.n), np.arange(s.n), curve)
    widened = float(np.interp(0.5 * s.n, np.arange(s.n), curve) - curve[-1]) / float(val[-1])
    sigma, s.sigma = s.sigma, s.sigma * 0.3
    error = s.error(len(at) // 2)
    noisy = s.noisy(val)
    s.sigma = sigma
    error = float(np.hypot(error, s.error(s.n // 2)))
    clear = len(at) >= 16 and widened > 0.07 and widened > 6 * error
    return Case({"loss": (_steps(s), s.noisy(curve)), "val_loss": (step, noisy)}, clear)


def slow_batch(s: Setting) -> Case:
    """A few batches of 8-30 times the usual, or 2-5 times the usual from a point on."""
    time = 0.3 * np.exp(s.rng.normal(0, s.rng.uniform(0.01, 0.2), s.n))
    if s.rng.random() < 0.5:
        at = s.rng.choice(np.arange(s.n // 10, s.n), max(1, s.n // 200), replace=False)
        time[at] *= s.rng.uniform(8, 30)
    else:
        time[int(s.n * s.rng.uniform(0.3, 0.8)) :] *= s.rng.uniform(2, 5)
    return Case({"batch_time": (_steps(s), time)})


def low_coverage(s: Setting) -> Case:
    """The share of valid inputs falls to 5-25 % for 15-100 % of the run."""
    share = np.full(s.n, 0.8)
    a = int(s.n * s.rng.uniform(0, 0.6))
    share[a : a + int(s.n * s.rng.uniform(0.15, 0.4)) + 5] = s.rng.uniform(0.05, 0.25)
    return Case({"valid_ratio": (_steps(s), np.clip(share + s.rng.normal(0, 0.04, s.n), 0, 1))})


def polarized_gate(s: Setting) -> Case:
    """The gate drifts to one side and stays there."""
    end = s.rng.uniform(0.0, 0.07)
    t = np.clip(np.linspace(0, 1, s.n) / s.rng.uniform(0.2, 0.7), 0, 1)
    gate = np.clip(0.5 + (end - 0.5) * t + s.rng.normal(0, 0.02, s.n), 0, 1)
    return Case({"alpha_mean": (_steps(s), gate if s.rng.random() < 0.5 else 1 - gate)})


def step_rewind(s: Setting) -> Case:
    """The run is resumed from an earlier step, or written anew into the same file."""
    step, loss = _steps(s), s.noisy(power_law(s.n, s.rng))
    cut = int(s.n * s.rng.uniform(0.4, 0.9))
    back = int(cut * s.rng.uniform(0.0, 0.9))
    return Case({"loss": (np.concatenate([step[:cut], step[back:]]),
                          np.concatenate([loss[:cut], loss[back:]]))})  # fmt: skip


Make = Callable[[Setting], Case]
HEALTHY: tuple[Make, ...] = (
    healthy_plain, healthy_cosine, healthy_cosine_unlogged, healthy_steps, healthy_validated,
    healthy_side,
)  # fmt: skip
FAULTS: dict[str, Make] = {
    "stagnation": stagnation, "never-learned": never_learned, "overfitting": overfitting,
    "gap-growth": gap_growth, "slow-batch": slow_batch, "low-coverage": low_coverage,
    "polarized-gate": polarized_gate, "step-rewind": step_rewind,
}  # fmt: skip


def failed(run: Run, severity: Severity = Severity.INFO) -> set[str]:
    """Trend rules that fail on a run at a severity or above."""
    rules = registered()
    return {
        name
        for name in RULES
        for f in rules["default", name](run)
        if f.failed and f.severity.rank >= severity.rank
    }


def load_rules() -> None:
    """Register the trend rules."""
    for name in RULES:
        importlib.import_module(f"trainlens.rules.{name.replace('-', '_')}")


def measure_healthy(make: Make, runs: int, seed: int, longest: int) -> tuple[int, dict[str, int]]:
    """Healthy runs with a warning, and findings of any severity by rule."""
    rng = np.random.default_rng([seed, len(make.__name__), *make.__name__.encode()])
    warned, by_rule = 0, dict.fromkeys(RULES, 0)
    for _ in range(runs):
        run = make(Setting.draw(rng, longest)).run()
        warned += bool(failed(run, Severity.WARNING))
        for name in failed(run):
            by_rule[name] += 1
    return warned, by_rule


def measure_fault(name: str, runs: int, seed: int, longest: int) -> dict[str, int]:
    """Clear and faint cases of a fault, those found, and clear cases with another warning."""
    rng = np.random.default_rng([seed, *name.encode()])
    count = dict.fromkeys(("clear", "clear found", "faint", "faint found", "other"), 0)
    drawn = 0
    while count["clear"] < runs and drawn < 12 * runs:
        drawn += 1
        case = FAULTS[name](Setting.draw(rng, longest))
        found = failed(case.run())
        which = "clear" if case.clear else "faint"
        count[which] += 1
        count[f"{which} found"] += name in found
        count["other"] += bool(failed(case.run(), Severity.WARNING) - {name})
    return count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=int, default=5000, help="points of the longest run")
    given = parser.parse_args()
    load_rules()
    total = 0
    print(f"{'healthy':26} {'runs':>5} {'warned':>7}  findings of any severity")
    for make in HEALTHY:
        warned, by_rule = measure_healthy(make, given.runs, given.seed, given.longest)
        total += warned
        said = ", ".join(f"{k} {v}" for k, v in by_rule.items() if v)
        print(f"{make.__name__:26} {given.runs:5d} {warned:7d}  {said}", flush=True)
    print(f"{'all':26} {given.runs * len(HEALTHY):5d} {total:7d}")
    print(f"\n{'fault':16} {'clear':>6} {'found':>6} {'recall':>7} {'faint':>6} {'found':>6} other")
    for name in FAULTS:
        c = measure_fault(name, given.runs, given.seed, given.longest)
        recall = c["clear found"] / max(1, c["clear"])
        print(f"{name:16} {c['clear']:6d} {c['clear found']:6d} {recall:7.3f} {c['faint']:6d} "
              f"{c['faint found']:6d} {c['other']:5d}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
