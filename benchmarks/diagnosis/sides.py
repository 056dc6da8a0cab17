"""Series beside the loss of a healthy run: norms, times, memory, accuracies, layers, classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.diagnosis.noise import Floats, ar1
from benchmarks.diagnosis.sketch import Sketch

Side = Callable[[Sketch], None]
LAYERS = 6


def steady(s: Sketch, level: float, width: float) -> Floats:
    """A level with lognormal noise, shape (n,)."""
    return np.asarray(level * np.exp(width * s.rng.standard_normal(len(s))))


def usual_norm(s: Sketch) -> float:
    """Level of a gradient norm: it goes with the unit of the loss."""
    return float(s.scale * 10.0 ** s.rng.uniform(-2, 2))


def gradients(s: Sketch) -> None:
    """A gradient norm that is high at first; clipped in one case of five."""
    start = 1 + s.rng.uniform(0, 4) * np.exp(-s.place / s.rng.uniform(0.02, 0.2))
    drift = np.exp(0.1 * ar1(len(s), 0.98, s.rng))
    norm = steady(s, usual_norm(s), s.rng.uniform(0.05, 0.4)) * start * drift
    if s.rng.random() < 0.2:
        norm = np.minimum(norm, float(np.quantile(norm, 0.8)))
    s.sides["grad_norm"] = s.everywhere(), norm


def mixed_precision(s: Sketch) -> None:
    """A loss scale that is halved where the norm is infinite, and doubled from time to time."""
    gradients(s)
    n = len(s)
    scale: Floats = np.asarray(65536.0 * 2.0 ** (np.arange(n) // max(1, n // 4)), np.float64)
    at = np.arange(max(1, n // 4), n, max(1, n // 4))[: max(1, min(3, n // 100))]
    for place in at:
        scale[place:] /= 2
    norm = s.sides["grad_norm"][1]
    norm[at] = np.inf
    s.sides["loss_scale"] = s.everywhere(), scale


def times(s: Sketch) -> None:
    """Batch times: slow first batches, and a checkpoint or evaluation now and then."""
    value = steady(s, 10.0 ** s.rng.uniform(-2, 1), s.rng.uniform(0.01, 0.2))
    value[:2] *= s.rng.uniform(2, 20)
    if s.rng.random() < 0.3:
        value[max(20, len(s) // 20) :: max(60, len(s) // 20)] *= s.rng.uniform(1.2, 2.0)
    s.sides[str(s.rng.choice(("batch_time", "step_time")))] = s.everywhere(), value


def throughput(s: Sketch) -> None:
    """Tokens or samples a second, slower at first."""
    value = steady(s, 10.0 ** s.rng.uniform(1, 6), s.rng.uniform(0.01, 0.15))
    value[: max(1, len(s) // 100)] *= s.rng.uniform(0.2, 1.0)
    s.sides[str(s.rng.choice(("tokens_per_second", "samples_per_second")))] = s.everywhere(), value


def memory(s: Sketch) -> None:
    """Memory of the device: steps of the allocator in the first tenth, then flat."""
    n = len(s)
    value = np.full(n, s.rng.uniform(4, 60))
    for at in s.rng.integers(0, max(1, n // 10), 3):
        value[at:] *= s.rng.uniform(1.0, 1.1)
    value = value * (1 + 0.003 * s.rng.standard_normal(n))
    s.sides["gpu_memory_gb"] = s.everywhere(), value


def accuracy(s: Sketch) -> None:
    """Validation accuracy that rises as the validation loss falls, with binomial noise."""
    if not len(s.evaluations):
        return
    level = s.held - s.held.min()
    share = level / (level.max() or 1.0)
    best, worst = s.rng.uniform(0.5, 0.97), s.rng.uniform(0.05, 0.3)
    p = best - (best - worst) * share
    p = p + np.sqrt(p * (1 - p) / s.rng.integers(1000, 50000)) * s.rng.standard_normal(len(p))
    s.sides["val_accuracy"] = s.evaluations, np.clip(p, 0.0, 1.0)


def coverage(s: Sketch) -> None:
    """A share of valid inputs that is in order."""
    share = s.rng.uniform(0.5, 0.95) + s.rng.normal(0, 0.08, len(s))
    s.sides["valid_ratio"] = s.everywhere(), np.clip(share, 0.0, 1.0)


def gate(s: Sketch) -> None:
    """A gate that opens from 0 to somewhere in the middle."""
    opened = np.clip(s.place / 0.05, 0, 1) * s.rng.uniform(0.25, 0.75)
    s.sides["alpha_mean"] = s.everywhere(), np.clip(opened + s.rng.normal(0, 0.03, len(s)), 0, 1)


def classes(s: Sketch) -> None:
    """Batches of many classes, and the shares of four classes in them."""
    many = int(s.rng.integers(4, 100))
    s.sides["batch_classes"] = (
        s.everywhere(),
        s.rng.integers(many // 2 + 1, many + 1, len(s)).astype(np.float64),
    )
    share = s.rng.dirichlet(np.full(4, 5.0))
    for place in range(4):
        value = np.clip(share[place] + s.rng.normal(0, 0.03, len(s)), 0, 1)
        s.sides[f"class_share/{place}"] = s.everywhere(), value


def layers(s: Sketch) -> None:
    """What the companion logs of each layer, all in order."""
    for place in range(LAYERS):
        depth = 1.0 - 0.08 * place
        for name, level, width in (
            (f"grad_norm/layer{place}", depth, 0.3),
            (f"zero_fraction/layer{place}", 0.45, 0.05),
            (f"update_ratio/layer{place}", 1e-3, 0.3),
            (f"activation_std/layer{place}", 1.0 * depth, 0.05),
            (f"saturated_fraction/layer{place}", 0.02, 0.3),
        ):
            s.sides[name] = s.everywhere(), steady(s, level, width)
        drift = 10.0 * (1 + 0.3 * s.place) + 0.001 * s.rng.standard_normal(len(s))
        s.sides[f"weight_norm/layer{place}"] = s.everywhere(), drift


def trained(s: Sketch) -> None:
    """Parameters with a gradient: all of them, or more and more as layers are unfrozen."""
    total = float(s.rng.integers(20, 400))
    part = np.ones(len(s))
    if s.rng.random() < 0.5:
        part = np.minimum(1.0, (np.floor(s.place * 8) + 1) / 4)
    s.sides["params_with_grad"] = s.everywhere(), np.round(total * part)
    s.sides["params_total"] = s.everywhere(), np.full(len(s), total)


SIDES: tuple[tuple[float, Side], ...] = (
    (0.35, gradients), (0.05, mixed_precision), (0.3, times), (0.25, throughput), (0.25, memory),
    (0.4, accuracy), (0.12, coverage), (0.12, gate), (0.1, classes), (0.06, layers),
    (0.06, trained),
)  # fmt: skip


_SPEED = ("batch_time", "step_time", "tokens_per_second", "samples_per_second", "throughput")
_TELLS: dict[Side, tuple[str, ...]] = {
    times: _SPEED, throughput: _SPEED, memory: ("memory_allocated",), coverage: ("coverage",),
    gate: ("gate_mean",), classes: ("majority_share",),
}  # fmt: skip


def add(s: Sketch) -> None:
    """Add some sides by chance, but none that contradicts what a fault has made already."""
    made = dict(s.sides)
    for chance, side in SIDES:
        told = any(name in made for name in _TELLS.get(side, ()))
        if s.rng.random() < chance and not told and not (side is layers and len(s) > 5000):
            side(s)
    s.sides |= made
