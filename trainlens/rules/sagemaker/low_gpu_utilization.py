"""``low-gpu-utilization``: LowGPUUtilization of SageMaker Debugger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from trainlens import words
from trainlens.detect.machine import hundred_percent, own_axis, readings
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED
from trainlens.run import Run, Series

# Weights & Biases and Aim: percent of the time that a device computes.
_COMPUTING = re.compile(r"^(?:__system__|system[/.])*gpu(?:\.\d+\.gpu)?(?:\s*\{.*\})?$")
_LEAST = 20


@rule(
    "low-gpu-utilization",
    profile="sagemaker",
    severity="warning",
    about="speed",
    source=f"{DOCUMENTED} of the profiler: LowGPUUtilization",
)
def low_gpu_utilization(
    run: Run,
    *,
    threshold_p95: float = 70.0,
    threshold_p5: float = 10.0,
    patience: int = 0,
    window: int = 500,
) -> Iterator[Finding]:
    """LowGPUUtilization: the GPU is used for less than 70 % of the time, or off and on.

    Reads the utilisation of each GPU, in percent or as a share, in windows of `window` readings
    (20 at least). Fires where the 95th percentile of a window is below `threshold_p95` (under-
    used), or above it while the 5th is below `threshold_p5` (fluctuating). SageMaker Debugger
    reads every 500 ms and leaves out the first 1,000 readings, some eight minutes; logs read every
    15 to 60 s, so `patience` is 0 here.

    Percent, whatever the machine: no unit matters. The utilisation of a GPU is the share of time
    in which anything ran on it, and says little about how much.

    Settings
    --------
    threshold_p95 : %
        Below it the 95th percentile is under-use.
    threshold_p5 : %
        Below it the 5th percentile is fluctuation.
    patience : readings
        At the beginning that are left out.
    window : readings
        That are judged together.
    """
    system = [s for s in run.with_role("system") if _COMPUTING.match(s.metric)]
    found = [s for s in (*readings(run, "gpu-usage"), *system) if len(s.finite)]
    if not found:
        yield skip("no utilisation of a GPU in this log")
    for series in found:
        yield _judge(series, threshold_p95, threshold_p5, patience, window)


def _percent(series: Series) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    value = series.finite.value
    top = float(value.max())
    full = hundred_percent(series, top) or 100.0
    return None if float(value.min()) < 0 or top > 1.01 * full else value / full * 100.0


def _judge(series: Series, p95: float, p5: float, patience: int, window: int) -> Finding:
    percent = _percent(series)
    if percent is None:
        return skip(f"{series.metric} is no share of the time", series)
    used = percent[patience:]
    if len(used) < _LEAST:
        return inconclusive(
            f"cannot tell: {words.plural(len(used), 'reading')} of {series.metric}; {_LEAST} are "
            "needed",
            series,
            evidence={"points": len(used), "points_needed": _LEAST},
        )
    # A short rest at the end belongs to the window before.
    edge = np.linspace(0, len(used), max(1, len(used) // window) + 1).astype(int)
    parts = [np.quantile(used[a:b], [0.05, 0.95]) for a, b in pairwise(edge)]
    low, high = np.array(parts).T
    idle, wild = high < p95, (high > p95) & (low < p5)
    evidence = {"p95": float(np.quantile(used, 0.95)), "p5": float(np.quantile(used, 0.05)),
                "threshold_p95": p95, "threshold_p5": p5, "windows": len(low),
                "windows_beyond": int((idle | wild).sum())}  # fmt: skip
    if not (idle | wild).any():
        return passed(
            f"{series.metric}: the 95th percentile is {words.number(evidence['p95'], 3)} %, the "
            f"5th {words.number(evidence['p5'], 3)} %.",
            series,
            evidence=evidence,
        )
    i = int(np.flatnonzero(idle | wild)[0])
    said = f"its 95th percentile is {words.number(float(high[i]), 3)} %"
    why = f"below {words.number(p95)} %"
    if wild[i]:
        said = f"it is at {words.number(float(low[i]), 3)} % in the 5th percentile and at "
        said += f"{words.number(float(high[i]), 3)} % in the 95th"
        why = "off and on"
    step = series.finite.step[patience:]
    own = own_axis(series)
    where = "" if own else f" ({words.steps(int(step[edge[i]]), int(step[edge[i + 1] - 1]))})"
    return fail(
        f"{series.metric}: {said}{where}, {why}; so in {words.step(int((idle | wild).sum()))} of "
        f"{words.plural(len(low), 'window')}.",
        series,
        first_step=None if own else int(step[edge[i]]),
        last_step=None if own else int(step[-1]),
        evidence=evidence,
    )
