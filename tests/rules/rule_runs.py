"""Runs made of a few arrays, for the tests of rules."""

import numpy as np

from trainlens.run import Chunk, Column, Run, unknown


def a_run(**series):
    """Series given as values, at steps 1, 2, ..., or as (step, value)."""
    columns = []
    for name, given in series.items():
        step, value = given if isinstance(given, tuple) else (np.arange(1, len(given) + 1), given)
        n = len(step)
        columns.append(
            Column(
                name, np.asarray(step, np.int64), np.asarray(value, float), unknown(n), unknown(n)
            )
        )
    return Run("r", "r", "synthetic").extend(Chunk(tuple(columns)))
