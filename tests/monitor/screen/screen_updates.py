"""Updates to show, made by hand."""

import numpy as np

from trainlens.monitor.model import Chance, Change, Standing, Trail, Update
from trainlens.rules.base import Finding, Severity, Status

AT = 1_790_000_000.0


def trail(metric="loss", split="train", value=(), role="loss", direction="min", step=None, **more):
    """The trail of some values, one a bucket."""
    value = np.asarray(value, float)
    step = np.arange(len(value), dtype=float) * 10 if step is None else np.asarray(step, float)
    held = np.where(np.isfinite(value), value, np.nan)
    known = held[np.isfinite(held)]
    best = None
    if direction and len(known):
        best = int(np.nanargmin(held) if direction == "min" else np.nanargmax(held))
    told = {
        "unit": "",
        "priority": 3 if role == "loss" else 0,
        "low": held,
        "high": held,
        "points": len(value),
        "bad": int((~np.isfinite(value)).sum()),
        "last": float(value[-1]) if len(value) else float("nan"),
        "last_step": int(step[-1]) if len(step) else 0,
        "ema": float((known[-5:] / 8).mean() * 8) if len(known) else float("nan"),
        "best": None if best is None else float(held[best]),
        "best_step": None if best is None else int(step[best]),
    } | more
    return Trail(metric=metric, split=split, role=role, direction=direction, step=step, **told)


def banded(metric, split, middle, spread, **more):
    """A trail whose buckets reach as far as `spread` around their middle."""
    held = trail(metric, split, middle, **more)
    low, high = held.low - spread, held.high + spread
    return trail(metric, split, middle, low=low, high=high, **more)


def trails(seed=0, n=200):
    """What a usual run logs."""
    rng = np.random.default_rng(seed)
    x = np.arange(n)
    fall = 0.31 + 2.1 * np.exp(-x / (30 + 10 * (seed % 3)))
    quality = 82 - 60 * np.exp(-x[:40] / 12) + rng.normal(0, 0.4, 40)
    val = 0.42 + 1.9 * np.exp(-x[:40] / 7) + 0.003 * np.maximum(0, x[:40] - 20)
    rate = 3e-4 * np.minimum(x / 20, 0.5 + 0.5 * np.cos(np.pi * x / 300))
    return (
        trail("acc", "val", quality, role="metric", direction="max", unit="%", step=x[:40] * 50),
        trail("loss", "val", val, step=x[:40] * 50),
        banded("loss", "train", fall + rng.normal(0, 0.02, n), 0.06),
        trail("lr", "train", rate, role="learning-rate", direction=""),
        banded("grad_norm", "train", 1 + rng.gamma(2, 0.2, n), 0.2, role="gradient-norm",
               direction=""),
        trail("gpu_util", "train", 90 + rng.normal(0, 3, n), role="gpu-usage", direction="",
              unit="%"),
    )  # fmt: skip


def finding(rule="loss-spike", severity="warning", first=700, **more):
    """An open finding."""
    told = {
        "metric": "loss",
        "split": "train",
        "last_step": first,
        "message": "Training loss rose from 0.42 to 3.1 within 5 steps. It came back later.",
        "causes": ("a batch with broken samples", "a learning rate that is too high"),
        "prescriptions": (
            {"text": "Clip the norm of the gradient", "patch": {"clip_norm": 1.0}},
            {"text": "Skip updates whose loss is far above its mean", "patch": {}},
        ),
        "verify": "no loss above twice its mean in the next 1 000 steps",
    } | more
    return Finding(rule, Status.FAIL, Severity(severity), first_step=first, **told)


NAN = finding(
    "non-finite",
    "error",
    80,
    message="Training loss is NaN from step 80 on (12 of 200 values).",
    causes=("fp16 overflow",),
    prescriptions=({"text": "Lower the learning rate", "patch": {"lr": 1e-4}},),
)


def standing(name="exp3", **more):
    """A healthy run."""
    told = {
        "source": f"runs/{name}/log.jsonl",
        "format": "jsonl",
        "state": "live",
        "points": 12_400,
        "step": 1990,
        "planned": 10_000,
        "progress": 0.199,
        "epoch": 2.4,
        "rate": 3.1,
        "remaining": 2584.0,
        "age": 3.0,
        "verdict": "healthy",
        "sentence": "Healthy so far. Validation ACC is still rising (2.1 % in the last quarter of "
        "the run).",
        "looked": 12_000,
        "trails": trails(),
        "gap": 0.112,
        "machine": {"GPU": (91.0, "%"), "GPU memory": (71.0, "%"), "CPU": (23.0, "%")},
        "throughput": (1420.0, "samples/s"),
    } | more
    return Standing(name=name, **told)


def failing(name="exp4", **more):
    """A run with three findings."""
    told = {
        "verdict": "failing",
        "sentence": "Non-finite values at step 80 of 1 990: training loss is NaN from step 80 on. "
        "And 1 more finding.",
        "findings": ((1, NAN), (2, finding()), (5, finding("log-damage", "info", None))),
    } | more
    return standing(name, **told)


CHANCE = Chance(
    "acc", "val", 85.0, "--target", 0.31, 83.2, 80.9, 85.7, "go on",
    "Forecast 83.2 (80.9 to 85.7) at step 10 000 from 40 evaluations.",
)  # fmt: skip


def update(*runs, round=12, **more):
    """An update of some runs."""
    return Update(round, AT, more.pop("path", "runs"), tuple(runs), **more)


def change(kind="opened", f=NAN, number=1, run="exp4", at=AT, before=None):
    """Something that happened to a finding."""
    return Change(kind, number, run, f"runs/{run}/log.jsonl", f, at, before)
