"""A hundred runs with twenty metrics each, compared: seconds, and those of a loop over pandas."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.diagnosis.tables import Table
from trainlens.chunk import Chunk, Column
from trainlens.comparison import compare
from trainlens.comparison.arms import arm
from trainlens.run import Run

RUNS, METRICS, POINTS, SEEDS = 100, 20, 1000, 5


def made(seed: int = 0) -> list[Run]:
    """Runs whose losses fall and scatter."""
    rng = np.random.default_rng(seed)
    return [_run(i, rng) for i in range(RUNS)]


def _run(i: int, rng: np.random.Generator) -> Run:
    step = np.arange(POINTS, dtype=np.int64) * 100
    trend = 1 + 5 * np.exp(-5 * np.linspace(0, 1, POINTS))
    unknown = np.full(POINTS, np.nan)
    columns = tuple(
        Column(f"loss_{k}", step, trend + rng.normal(0, 0.02) + rng.normal(0, 0.1, POINTS),
               unknown, unknown, "val")
        for k in range(METRICS)
    )  # fmt: skip
    config = {"width": i // SEEDS, "seed": i % SEEDS}
    return Run(f"run{i}", f"run{i}", "synthetic", config=config).extend(Chunk(columns))


def singles(runs: list[Run]) -> int:
    """Every run against the first."""
    return len(compare(runs[0], runs[1:]).rows)


def groups(runs: list[Run]) -> int:
    """Every five seeds against the first five."""
    arms = [arm(f"width {i}", runs[i : i + SEEDS]) for i in range(0, len(runs), SEEDS)]
    return len(compare(arms[0], arms[1:]).rows)


def by_pandas(runs: list[Run]) -> int:
    """What people write: join on the step, mean difference, paired t-test, metric by metric."""
    import pandas as pd
    from scipy.stats import ttest_rel

    frames = {run.name: run.frame() for run in runs}
    first, *others = frames
    rows = []
    for other in others:
        for metric in frames[first]["metric"].unique():
            a, b = (frames[n][frames[n]["metric"] == metric] for n in (first, other))
            both = a.merge(b, on="step", suffixes=("_a", "_b"))
            away = both["value_b"] - both["value_a"]
            p = ttest_rel(both["value_b"], both["value_a"]).pvalue
            rows.append((other, metric, away.mean(), both["value_b"].std(), p))
    return len(pd.DataFrame(rows))


def table() -> Table:
    """A row a way of doing it."""
    body = []
    for name, work in (
        (f"compare: {RUNS - 1} runs against one", singles),
        (f"compare: {RUNS // SEEDS - 1} arms of {SEEDS} seeds against one", groups),
        ("pandas: join, mean and t-test alone", by_pandas),
    ):
        seconds, rows = _timed(work, made())
        body.append((name, f"{rows:,}", f"{seconds:.2f} s", f"{1e3 * seconds / rows:.2f} ms"))
    what = f"{RUNS} runs, {METRICS} metrics, {POINTS:,} points each"
    return (what, "Rows", "CPU time", "A row"), body


def _timed(work: Callable[[list[Run]], int], runs: list[Run]) -> tuple[float, int]:
    begin = time.process_time()
    rows = work(runs)
    return time.process_time() - begin, rows
