"""Runs of known curves, for the tests of comparisons."""

import numpy as np

from trainlens.run import Chunk, Column, Run, unknown


def ar1(rng, n, rho, sd=1.0):
    """Stationary AR(1) noise of standard deviation `sd`, shape (n,)."""
    new = rng.normal(0, sd * np.sqrt(1 - rho**2), n)
    new[0] = rng.normal(0, sd)
    value = np.empty(n)
    held = 0.0
    for i, one in enumerate(new):
        held = value[i] = rho * held + one if i else one
    return value


def run(name, config=None, wall=None, epoch=None, **series):
    """A run of series given as values at steps 1, 2, ..., or as (step, value)."""
    columns = []
    for metric, given in series.items():
        step, value = given if isinstance(given, tuple) else (np.arange(1, len(given) + 1), given)
        n = len(value)
        columns.append(
            Column(
                metric.replace("__", "/"),
                np.asarray(step, np.int64),
                np.asarray(value, float),
                unknown(n) if wall is None else wall + np.asarray(step, float),
                unknown(n) if epoch is None else np.asarray(step, float) / epoch,
            )
        )
    return Run(name, name, "synthetic", config=config or {}).extend(Chunk(tuple(columns)))
