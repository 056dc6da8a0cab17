"""Runs with quantities of single layers, for the tests of rules."""

import numpy as np
from rule_runs import a_run

from trainlens.run import Run

N = 400


def noisy(level, n=N, sigma=0.2, seed=0):
    return level * np.exp(sigma * np.random.default_rng(seed).standard_normal(n))


def falling(n=N, seed=1):
    return noisy(0.2 + (1 + np.arange(n)) ** -0.4, n, 0.02, seed)


def flat(n=N, seed=2, level=2.0):
    return noisy(level, n, 0.005, seed)


def with_layers(family, levels, n=N, sigma=0.2, names="layers.{}.weight", **more):
    held = {
        f"{family}/{names.format(i)}": noisy(v, n, sigma, i) if np.isscalar(v) else v
        for i, v in enumerate(levels)
    }
    return a_run(**more, **held)


def configured(run, **config):
    return Run(run.name, run.source, run.format, run.series, config)
