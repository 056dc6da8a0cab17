"""Runs that pictures are drawn of: one that is sick in many ways, and a healthy one."""

from functools import cache

import numpy as np

from trainlens.rules import diagnose
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.stats.planned import parse

START = 1.7e9
diagnosed = cache(diagnose)
"""By run: several tests ask for the findings of the same one."""


def column(name, step, value, kind="", wall=None):
    step = np.asarray(step, np.int64)
    times = unknown(len(step)) if wall is None else wall
    return Column(name, step, np.asarray(value, float), times, unknown(len(step)), kind=kind)


def run_of(*columns, name="run", config=None):
    return Run(name, "somewhere", "jsonl", config=config or {}).extend(Chunk(tuple(columns)))


SPIKES = {7010: 2.2, 12110: 3.0, 19010: 1.8, 24010: 4.1}
"""First steps of six high points of the sick run, and how many times as high."""
PLAN = {
    "total_steps": 30_000,
    "lr": {
        "kind": "chain",
        "base": 1e-3,
        "parts": [{"kind": "linear-warmup", "until_steps": 1500}, {"kind": "cosine", "end": 0.01}],
    },
}
OFF_PLAN = 20_010


@cache
def sick(name="sick-run"):
    """Spikes, a jump of validation, a rate off its plan, a drop of speed, system readings."""
    rng = np.random.default_rng(1)
    step = np.arange(1, 3001) * 10
    share, wall = step / step[-1], START + step * 0.5
    loss = (0.6 + 2 * np.exp(-12 * share)) * np.exp(0.05 * rng.standard_normal(3000))
    for first, times in SPIKES.items():
        loss[first // 10 - 1 :][:6] *= times
    rate = parse(PLAN["lr"]).value(step, step[-1])
    rate[step >= OFF_PLAN] *= 1.4
    at = slice(99, None, 100)
    val = 0.7 + 0.25 * (share[at] - 0.35) ** 2 + 0.01 * rng.standard_normal(30)
    val[20] *= 1.6
    speed = 1200 + 30 * rng.standard_normal(3000)
    speed[2200:] *= 0.6
    return run_of(
        column("loss", step, loss, wall=wall),
        column("lr", step, rate, wall=wall),
        column("grad_norm", step, np.exp(0.3 * rng.standard_normal(3000)), wall=wall),
        column("val_loss", step[at], val, wall=wall[at]),
        column("samples_per_sec", step, speed, wall=wall),
        column("batch_time", step, 64 / speed, wall=wall),
        column("data_time", step, 6 / speed, wall=wall),
        column("gpu_mem_gb", step, 61 + 9 * share, wall=wall),
        *_system(rng),
        name=name,
        config={"schedules": PLAN},
    )


def _system(rng):
    reading = np.arange(400)
    wall = START + np.linspace(0, 15_000, 400)
    for i in range(2):
        used = np.clip(92 + 4 * rng.standard_normal(400), 0, 100)
        yield column(f"system/gpu.{i}.gpu", reading, used, "system", wall)
    used = np.clip(40 + 14 * rng.standard_normal(400), 0, 100)
    yield column("system/cpu", reading, used, "system", wall)


@cache
def healthy(name="healthy-run", above=0.0, seed=5, n=2000):
    """A power law over a cosine with warmup."""
    rng = np.random.default_rng(seed)
    step = np.arange(1, n + 1) * 5
    share, at = step / step[-1], slice(49, None, 50)
    level = 0.4 + above + 2 * (1 + 80 * share) ** -0.5
    rate = np.minimum(step / 500, 0.5 + 0.5 * np.cos(np.pi * np.clip(share - 0.05, 0, 1) / 0.95))
    return run_of(
        column("loss", step, level * np.exp(0.04 * rng.standard_normal(n))),
        column("lr", step, 3e-4 * rate),
        column("grad_norm", step, 1 + 0.2 * rng.standard_normal(n) ** 2),
        column("val_loss", step[at], level[at] + 0.05 + 0.005 * rng.standard_normal(n // 50)),
        name=name,
    )


@cache
def stalled(name="stalled-run"):
    """Falls for a fifth of the run and stands still from there, its rate at full height."""
    rng = np.random.default_rng(7)
    step = np.arange(1, 2001) * 10
    share = step / step[-1]
    loss = (0.5 + 2 * np.maximum(0.2 - share, 0) / 0.2) * np.exp(0.02 * rng.standard_normal(2000))
    return run_of(column("loss", step, loss), column("lr", step, np.full(2000, 1e-3)), name=name)
