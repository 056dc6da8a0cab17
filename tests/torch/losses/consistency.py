"""The gated consistency loss as a loop in numpy, and data of every coverage for it."""

import numpy as np
import torch

NAN = float("nan")


def ramp(p, first=0.1, duration=0.1):
    return min(max((p - first) / duration, 0.0), 1.0)


def soft(c, low=0.3, threshold=0.6):
    t = min(max((c - low) / (threshold - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def hard(c, threshold=0.6):
    return float(c >= threshold)


def oracle(a, b, valid, progress, gate=soft, weight=0.05, present=None):
    """The formula, point by point."""
    present = np.ones_like(valid) if present is None else present
    total = 0.0
    for sample in range(len(a)):
        points = np.flatnonzero(valid[sample] & present[sample])
        if not len(points):
            continue
        lost = [
            1 - np.dot(a[sample, i], b[sample, i])
            / (np.linalg.norm(a[sample, i]) * np.linalg.norm(b[sample, i]))
            for i in points
        ]  # fmt: skip
        total += gate(len(points) / present[sample].sum()) * np.mean(lost)
    return weight * ramp(progress) * total / max(len(a), 1)


def drawn(seed, batch=4, points=10, dim=6):
    """Features, CLIP features and masks of every coverage."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, batch, points, dim))
    valid = rng.random((batch, points)) < rng.random((batch, 1)) * 1.2
    present = rng.random((batch, points)) < 0.9
    present[:, 0] = True
    return a, b, valid, present


def tensors(*arrays):
    return [torch.from_numpy(a) for a in arrays]
