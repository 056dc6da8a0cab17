"""The schedules of torch, transformers and timm, written with ours, step by step."""

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler as lrs  # noqa: E402 - after the skip

from trainlens_torch import schedules as s  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402

BASE = 0.3


def theirs(make, count, base=BASE, field="lr", **optimizer):
    """What a scheduler sets for each of `count` updates."""
    held = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base, **optimizer)
    scheduler, values = make(held), []
    for i in range(count):
        values.append(held.param_groups[0][field])
        held.step()
        if i + 1 < count:
            scheduler.step()
    return values


def ours(schedule, total, count=None, base=BASE):
    """What our schedule gives for each update of a training; past its end progress stays 1."""
    resolved = schedule.resolved(Clock(total).share)
    return [base * resolved.factor(min(k / total, 1.0)) for k in range(count or total)]


TORCH = [
    (lambda o: lrs.ConstantLR(o, 1 / 3, 5), s.Chain((s.Constant(1 / 3), "5ba"), s.Constant())),
    (lambda o: lrs.LinearLR(o, 0.25, 0.5, 7), s.Chain((s.Linear(0.25, 0.5), 7), s.Constant(0.5))),
    (lambda o: lrs.LinearLR(o, 0.25, 1.0, 10), s.LinearWarmup("10ba", start=0.25)),
    (lambda o: lrs.CosineAnnealingLR(o, 100, 1e-3), s.Cosine(end=1e-3 / BASE)),
    (lambda o: lrs.PolynomialLR(o, 100, 0.9), s.Polynomial(0.9)),
    (lambda o: lrs.ExponentialLR(o, 0.97), s.Exponential(0.97**100)),
    (lambda o: lrs.StepLR(o, 30, 0.2), s.Step(range(30, 100, 30), 0.2)),
    (lambda o: lrs.MultiStepLR(o, [10, 55, 55, 80], 0.5), s.Step([10, 55, 55, 80], 0.5)),
    (lambda o: lrs.CosineAnnealingWarmRestarts(o, 7, 2, 1e-3),
     s.CosineRestarts(first=7, growth=2, end=1e-3 / BASE)),
    (lambda o: lrs.CosineAnnealingWarmRestarts(o, 13, 1, 1e-3),
     s.CosineRestarts(first="13ba", end=1e-3 / BASE)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "schedule"), TORCH, ids=lambda x: getattr(x, "kind", ""))
def test_torch(make, schedule):
    assert ours(schedule, 100) == pytest.approx(theirs(make, 100), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_one_cycle_of_torch_with_its_momentum(shape):
    n, peak = 137, 0.3

    def make(optimizer):
        name = "cos" if shape == "cosine" else shape
        return lrs.OneCycleLR(optimizer, peak, total_steps=n, pct_start=0.25, anneal_strategy=name)

    # Torch is at its end with the last update, and counts from 0.
    warmup = (0.25 * n - 1) / (n - 1)
    rate = s.OneCycle(warmup, 1 / 25, 1 / 25e4, shape)
    expected = theirs(make, n, peak, momentum=0.9)
    assert ours(rate, n - 1, n, peak) == pytest.approx(expected, rel=1e-12, abs=1e-16)
    momentum = s.OneCycle(warmup, 0.95 / 0.85, 0.95 / 0.85, shape)
    expected = theirs(make, n, peak, "momentum", momentum=0.9)
    assert ours(momentum, n - 1, n, 0.85) == pytest.approx(expected, rel=1e-12)


def test_sequential_of_torch():
    def make(optimizer):
        warmup = lrs.LinearLR(optimizer, 0.1, 1.0, 20)
        cosine = lrs.CosineAnnealingLR(optimizer, 80, 0.003)
        return lrs.SequentialLR(optimizer, [warmup, cosine], [20])

    chain = s.Chain(s.LinearWarmup("20ba", start=0.1), s.Cosine(end=0.01))
    assert ours(chain, 100) == pytest.approx(theirs(make, 100), rel=1e-12, abs=1e-14)


def test_past_its_end_the_cosine_of_torch_rises_again_and_ours_stays_down():
    rising = theirs(lambda o: lrs.CosineAnnealingLR(o, 50), 100)
    assert rising[50] == pytest.approx(0.0, abs=1e-15)
    assert rising[90] > 0.8 * BASE
    assert ours(s.Cosine(), 50, 100)[50:] == [0.0] * 50


def test_a_cut_off_cycle_ends_where_torch_would_be():
    """700 = 100 + 200 + 400 is an edge: at the end ours stays down, torch begins anew."""
    schedule = s.CosineRestarts(first=100, growth=2)
    expected = theirs(lambda o: lrs.CosineAnnealingWarmRestarts(o, 100, 2), 701)
    values = ours(schedule, 700, 701)
    assert values[:700] == pytest.approx(expected[:700], rel=1e-12, abs=1e-14)
    assert expected[700] == BASE
    assert values[700] == 0.0


TRANSFORMERS = [
    ("get_constant_schedule", {}, s.Constant()),
    ("get_constant_schedule_with_warmup", {"num_warmup_steps": 12}, s.LinearWarmup(12)),
    ("get_linear_schedule_with_warmup", {"num_warmup_steps": 12, "num_training_steps": 90},
     s.Chain(s.LinearWarmup(12), s.Linear())),
    ("get_cosine_schedule_with_warmup", {"num_warmup_steps": 12, "num_training_steps": 90},
     s.Chain(s.LinearWarmup(12), s.Cosine())),
    ("get_cosine_with_hard_restarts_schedule_with_warmup",
     {"num_warmup_steps": 12, "num_training_steps": 90, "num_cycles": 3},
     s.Chain(s.LinearWarmup(12), s.CosineRestarts(3))),
    ("get_polynomial_decay_schedule_with_warmup",
     {"num_warmup_steps": 12, "num_training_steps": 90, "lr_end": 3e-3, "power": 2.0},
     s.Chain(s.LinearWarmup(12), s.Polynomial(2.0, end=0.01))),
    ("get_inverse_sqrt_schedule", {"num_warmup_steps": 12}, s.InverseSqrt(12)),
    ("get_cosine_with_min_lr_schedule_with_warmup",
     {"num_warmup_steps": 12, "num_training_steps": 90, "min_lr_rate": 0.1},
     s.Chain(s.LinearWarmup(12), s.Cosine(end=0.1))),
    ("get_wsd_schedule",
     {"num_warmup_steps": 12, "num_decay_steps": 25, "num_training_steps": 90},
     s.WarmupStableDecay(12, 25, shape="cosine")),
    ("get_wsd_schedule",
     {"num_warmup_steps": 12, "num_decay_steps": 25, "num_training_steps": 90,
      "decay_type": "1-sqrt"},
     s.WarmupStableDecay(12, 25, shape="root")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "schedule"), TRANSFORMERS, ids=lambda x: str(x)[:40])
def test_transformers(name, keys, schedule):
    optimization = pytest.importorskip("transformers.optimization")
    expected = theirs(lambda o: getattr(optimization, name)(o, **keys), 90)
    assert ours(schedule, 90) == pytest.approx(expected, rel=1e-12, abs=1e-14)


NUMBERS = json.loads((Path(__file__).parent / "timm_1_0_31.json").read_text())


def of_timm(scheduler, base, keys):
    """Our schedule for the parameters of timm, and the length of the training."""
    low = keys.get("lr_min", 0.0) / base
    if scheduler == "StepLRScheduler":
        steps = s.Step(range(keys["decay_t"], 100, keys["decay_t"]), keys["decay_rate"])
        if warm := keys.get("warmup_t"):
            # Its milestones are counted from the end of the warmup, like places of a part.
            steps = s.Chain(s.LinearWarmup(warm, keys["warmup_lr_init"] / base), steps)
        return steps, 100
    if scheduler == "MultiStepLRScheduler":
        # It takes each step one epoch before the milestone.
        return s.Step([t - 1 for t in keys["decay_t"]], keys["decay_rate"]), 100
    if scheduler == "PolyLRScheduler":
        return s.Polynomial(keys["power"], end=low), keys["t_initial"]
    n, warm, cycles = keys["t_initial"], keys.get("warmup_t", 0), keys.get("cycle_limit", 1)
    growth, height = keys.get("cycle_mul", 1.0), keys.get("cycle_decay", 1.0)
    cosine = s.Cosine(end=low)
    if cycles > 1:
        cosine = s.CosineRestarts(cycles, growth, height, low)
        whole = sum(n * growth**i for i in range(cycles))
        return s.Chain((cosine, f"{whole}ba"), s.Constant(low)), 2 * whole
    if not warm:
        return cosine, n
    start = keys["warmup_lr_init"] / base
    if keys.get("warmup_prefix"):
        return s.Chain(s.LinearWarmup(warm, start), cosine), n + warm

    def from_the_beginning(p):
        """The cosine runs on beneath the warmup, and the rate jumps onto it."""
        return start + (1 - start) * p * n / warm if p < warm / n else cosine.factor(p)

    return s.Custom(from_the_beginning), n


@pytest.mark.parametrize("case", NUMBERS["cases"], ids=lambda c: c["scheduler"])
def test_timm(case):
    base, values = case["base"], case["values"]
    schedule, total = of_timm(case["scheduler"], base, case["parameters"])
    assert ours(schedule, int(total), len(values), base) == pytest.approx(
        values, rel=1e-12, abs=1e-15
    )


def test_range_test_of_a_learning_rate():
    """Ten decades, a straight line on a logarithmic axis."""
    sweep = s.Exponential(1e10)
    logs = [math.log10(sweep.factor(k / 10)) for k in range(11)]
    assert logs == pytest.approx(list(range(11)))
