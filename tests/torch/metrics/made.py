"""Structures for tests, and superposition by numpy's singular value decomposition."""

from __future__ import annotations

import numpy as np


def turns(rng, many=()):
    """Proper rotations, uniformly drawn."""
    q = rng.normal(size=(*many, 4))
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def chain(rng, n, step=3.8):
    """A compact walk of equal steps, like the C-alpha atoms of a protein."""
    at, ahead, out = np.zeros(3), rng.normal(size=3), []
    for _ in range(n):
        ahead = 0.6 * ahead + rng.normal(size=3) - 0.05 * at
        ahead *= step / np.linalg.norm(ahead)
        at = at + ahead
        out.append(at)
    return np.array(out)


def bent(rng, target, noise):
    """A chain with a hinge, a wrong loop and noise, anywhere in space."""
    n = len(target)
    moved = target + noise * rng.normal(size=target.shape)
    hinge, loop = rng.integers(n // 4, 3 * n // 4), rng.integers(0, n - n // 8)
    moved[hinge:] = (moved[hinge:] - moved[hinge]) @ turns(rng).T * 1.0 + moved[hinge]
    moved[loop : loop + n // 8] += 6 * rng.normal(size=3)
    return moved @ turns(rng).T + 20 * rng.normal(size=3)


def procrustes(x, y, scaled):
    """Umeyama 1991 by singular values: x of shape (n, 3) moved onto y."""
    mx, my = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd((y - my).T @ (x - mx) / len(x))
    sign = np.array([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = u @ np.diag(sign) @ vt
    scale = (s * sign).sum() / ((x - mx) ** 2).sum(-1).mean() if scaled else 1.0
    return scale * (x - mx) @ turn.T + my


def atoms(seed=0, residues=24):
    """All atoms of a structure of residues of 1 to 6 atoms: target, prediction, residue index."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, size=residues)
    residue = np.repeat(np.arange(residues), sizes)
    target = chain(rng, residues, 5.0)[residue] + rng.normal(size=(len(residue), 3))
    pred = target + rng.normal(size=target.shape) * rng.uniform(0.1, 2.5, size=(len(residue), 1))
    return target.round(4), pred.round(4), residue
