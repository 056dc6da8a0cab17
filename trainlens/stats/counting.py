"""Noise of measures that are counts of right answers."""

from __future__ import annotations

import numpy as np

from trainlens.stats.blocks import Floats

_MOST = 2000
_LOOKED_AT = 40


def samples_behind(value: Floats) -> int:
    """Number N of samples, where all values are k / N as far as their digits tell, else 0.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Shares in [0, 1], or percent.

    Returns
    -------
    int
        The smallest N up to 2000 that fits all of up to 40 distinct values; 0 where none does,
        where the values are no shares, or where fewer than three differ: any two values fit some N.
    """
    distinct = np.unique(value[np.isfinite(value)])[:_LOOKED_AT]
    if len(distinct) < 3 or distinct[0] < 0 or distinct[-1] > 100:
        return 0
    share = distinct / (100.0 if distinct[-1] > 1 else 1.0)
    digits = max(_decimals(float(x)) for x in share)
    n = np.arange(2, _MOST + 1)
    counted = np.outer(n, share)
    # What rounding to these digits, or to single precision, can have moved a count by.
    allowed = np.maximum(0.5 * 10.0**-digits * n, np.maximum(1e-7 * n, 1e-6))[:, None]
    fits = (np.abs(counted - np.round(counted)) <= allowed).all(axis=1) & (allowed[:, 0] < 0.2)
    return int(n[fits.argmax()]) if fits.any() else 0


def _decimals(x: float) -> int:
    return len(f"{x:.12g}".partition(".")[2])


def counting_noise(value: Floats) -> float:
    """Standard deviation of a share of right answers among few samples, 0 where it is no such.

    The binomial sqrt(p (1 - p) / N) at the median p. Evaluations on the same samples scatter less
    than that, so it is an upper bound of what counting alone brings.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Shares in [0, 1], or percent.

    Returns
    -------
    float, in the unit of `value`
    """
    n = samples_behind(value)
    if not n:
        return 0.0
    scale = 100.0 if float(np.max(value)) > 1 else 1.0
    p = float(np.median(value)) / scale
    return scale * float(np.sqrt(max(p * (1 - p), 1.0 / n) / n))
