"""How often the point and level rules are right: ``python -m benchmarks.diagnosis.point_faults``.

Healthy runs of every kind of noise, level of noise, length and scale; and the same runs with one
injected fault each. A fault counts as found when a finding of the right rule overlaps it, with a
tolerance of 5 points or 1 %; for a healthy run every warning or error counts as a false alarm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from benchmarks.diagnosis.curves import NOISES, Floats, healthy
from trainlens.rules import diagnose
from trainlens.rules.base import Severity
from trainlens.run import Run, Series, unknown

RULES = ("non-finite", "loss-spike", "outlier", "divergence", "validation-jump",
         "gradient-explosion")  # fmt: skip
SIGMAS = (0.002, 0.01, 0.03, 0.08, 0.2)
LENGTHS = (60, 200, 1000, 5000, 20000)
Fault = Callable[[dict[str, Floats], float, np.random.Generator], int]


def make(values: dict[str, Floats], every: int) -> Run:
    """A run of a training loss, a gradient norm and a validation loss, the last one sparse."""
    series = {}
    for name, value in values.items():
        metric, split = ("loss", "val") if name == "val" else (name, "train")
        n = len(value)
        step = np.arange(n, dtype=np.int64) * (every if name == "val" else 1)
        series[metric, split] = Series(metric, split, step, value, unknown(n), unknown(n))
    return Run("r", "synthetic", "synthetic", series)


def healthy_run(n: int, kind: str, sigma: float, rng: np.random.Generator) -> dict[str, Floats]:
    """Values of a healthy run of n training steps and 10 to 60 evaluations."""
    scale = 10.0 ** rng.uniform(-6, 6)
    loss = healthy(n, rng, kind=kind, sigma=sigma, scale=scale)
    evaluations = int(np.clip(n // 20, 10, 60))
    curve = healthy(evaluations, rng, kind=kind, sigma=sigma / 3, scale=scale)
    norm = np.exp(0.3 * rng.standard_normal(n)) * (1 + 3 * np.exp(-np.arange(n) / (n / 10)))
    return {"loss": loss, "val": curve, "grad_norm": norm}


def spike(values: dict[str, Floats], sigma: float, rng: np.random.Generator) -> int:
    """3 to 15 points of 1.5 to 5 times the level, at least 6 sigma."""
    loss = values["loss"]
    length = int(rng.integers(3, 16))
    at = int(rng.integers(30, len(loss) - length - 3))
    loss[at : at + length] *= rng.uniform(max(1.5, np.exp(6 * sigma)), max(5, np.exp(8 * sigma)))
    return at


def fast_divergence(values: dict[str, Floats], sigma: float, rng: np.random.Generator) -> int:
    """Exponential growth by 2.7 to 20 (at least 6 sigma) to the end, from 50 to 85 %."""
    return _ramp(values["loss"], rng.uniform(0.5, 0.85), rng.uniform(1 + 6 * sigma, 3 + 6 * sigma))


def slow_divergence(values: dict[str, Floats], sigma: float, rng: np.random.Generator) -> int:
    """35 to 60 % (more in strong noise) above the best level at the end of the last 30 %."""
    loss = values["loss"]
    at = int(0.7 * len(loss))
    loss[at:] *= np.median(loss[at : at + max(3, at // 10)]) / np.median(loss[-len(loss) // 20 :])
    return _ramp(loss, 0.7, float(np.log(rng.uniform(1.35, 1.6))) + 3 * sigma)


def _ramp(loss: Floats, share: float, growth: float) -> int:
    at = int(share * len(loss))
    loss[at:] *= np.exp(np.linspace(0, growth, len(loss) - at))
    return at


def nan_tail(values: dict[str, Floats], _: float, rng: np.random.Generator) -> int:
    """NaN from some step on, or for a few steps."""
    at = int(rng.integers(5, len(values["loss"]) - 5))
    values["loss"][at : at + int(rng.choice([1, 3, len(values["loss"])]))] = np.nan
    return at


def bad_evaluation(values: dict[str, Floats], sigma: float, rng: np.random.Generator) -> int:
    """One to three evaluations worse by 1.25 to 2, at least 10 sigma of their noise."""
    curve = values["val"]
    at = int(rng.integers(6, len(curve) - 1))
    factor = max(rng.uniform(1.25, 2.0), np.exp(10 * sigma / 3))
    curve[at : at + int(rng.integers(1, 4))] *= factor
    return at


def explosion(values: dict[str, Floats], _: float, rng: np.random.Generator) -> int:
    """3 to 10 gradient norms of 30 to 1000 times the usual."""
    norm = values["grad_norm"]
    at = int(rng.integers(30, len(norm) - 12))
    norm[at : at + int(rng.integers(3, 11))] *= 10 ** rng.uniform(1.5, 3)
    return at


FAULTS: dict[str, tuple[str, Fault]] = {
    "spike": ("loss-spike", spike),
    "fast divergence": ("divergence", fast_divergence),
    "slow divergence": ("divergence", slow_divergence),
    "NaN": ("non-finite", nan_tail),
    "validation jump": ("validation-jump", bad_evaluation),
    "gradient explosion": ("gradient-explosion", explosion),
}
LEVEL = ("divergence",)


def false_alarms(run: Run) -> set[str]:
    """Rules that warn about a run."""
    found = diagnose(run, select=RULES).findings
    return {f.rule for f in found if f.severity is not Severity.INFO}


def is_found(run: Run, rule: str, at: int, tolerance: int) -> bool:
    """Whether a warning of this rule lies at this step (a level fault: starts anywhere behind)."""
    for f in diagnose(run, select=[rule]).findings:
        if f.severity is Severity.INFO or f.first_step is None or f.last_step is None:
            continue
        if f.first_step - tolerance <= at <= f.last_step + tolerance or (
            rule in LEVEL and f.last_step >= at
        ):
            return True
    return False


def measure(repeats: int, seed: int = 0, lengths: tuple[int, ...] = LENGTHS) -> list[str]:
    """Lines of the table, one a length of run."""
    lines = [f"{'length':>7} {'healthy':>8} {'warned':>7}  " + "  ".join(FAULTS)]
    for n in lengths:
        rng = np.random.default_rng([seed, n])
        rounds = max(1, repeats * 200 // (200 + n))
        alarms: list[str] = []
        hits = {name: 0 for name in FAULTS}
        total = 0
        for kind in NOISES:
            for sigma in SIGMAS:
                for _ in range(rounds):
                    total += 1
                    values = healthy_run(n, kind, sigma, rng)
                    every = max(1, n // len(values["val"]))
                    alarms += (
                        [",".join(sorted(a))] if (a := false_alarms(make(values, every))) else []
                    )
                    for name, (rule, inject) in FAULTS.items():
                        sick = {k: v.copy() for k, v in values.items()}
                        at = inject(sick, sigma, rng) * (every if name == "validation jump" else 1)
                        near = max(5, n // 100)
                        hits[name] += is_found(make(sick, every), rule, at, near)
        shares = "  ".join(f"{hits[k] / total:>{len(k)}.3f}" for k in FAULTS)
        which = f"  ({'; '.join(sorted(set(alarms)))})" if alarms else ""
        lines.append(f"{n:>7} {total:>8} {len(alarms) / total:>7.3f}  {shares}{which}")
        print(lines[-1] if len(lines) > 2 else "\n".join(lines), flush=True)
    return lines


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
