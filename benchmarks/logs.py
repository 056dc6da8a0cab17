"""Synthetic logs of any size, written fast enough that the writing is not what takes the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.diagnosis.curves import healthy

NAMES = ("loss", "grad_norm", "lr", "step_time", "accuracy", "throughput", "memory", "entropy")
"""Metrics of a run, in the order in which a run of fewer takes them."""

_BLOCK = 10_000  # rows whose text is made at once


def curves(rows: int, metrics: int, seed: int) -> NDArray[np.float64]:
    """A healthy loss and quantities that go with it, shape (rows, metrics), at most 8 of them."""
    rng = np.random.default_rng(seed)
    loss = healthy(rows, rng)
    wobble = rng.standard_normal((5, rows))
    columns = [
        loss,
        np.exp(0.2 * wobble[0]),
        np.linspace(1e-3, 1e-5, rows),
        0.2 + 0.01 * np.abs(wobble[1]),
        1 - 0.5 * loss,
        512 + wobble[2],
        20 + 0.01 * wobble[3],
        2 + loss + 0.02 * wobble[4],
    ]
    return np.stack(columns[:metrics], axis=1)


def write_jsonl(
    path: Path, rows: int, metrics: int = 3, *, seed: int = 0, validate: int = 0
) -> Path:
    """Flat JSON Lines: a step and `metrics` values a row.

    Parameters
    ----------
    path, rows, metrics
    seed
        Of the curves.
    validate
        Every so many rows there is an ``eval_loss`` as well; never if 0.
    """
    values = curves(rows, metrics, seed)
    form = '{"step": %d, ' + ", ".join(f'"{name}": %.9g' for name in NAMES[:metrics]) + "}\n"
    with open(path, "w", encoding="ascii") as file:
        for low in range(0, rows, _BLOCK):
            block = values[low : low + _BLOCK].tolist()
            lines = [form % (step, *row) for step, row in enumerate(block, low)]
            if validate:
                _validate(lines, block, validate)
            file.write("".join(lines))
    return path


def write_wide(path: Path, rows: int, metrics: int, *, seed: int = 0) -> Path:
    """The same of any number of metrics, the last level of their names numbered."""
    blocks = [curves(rows, len(NAMES), seed + 1000 * place) for place in range(-(-metrics // 8))]
    values = np.concatenate(blocks, axis=1)[:, :metrics]
    names = [f"part{place // 8}/{NAMES[place % 8]}" for place in range(metrics)]
    form = '{"step": %d, ' + ", ".join(f'"{name}": %.9g' for name in names) + "}\n"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(form % (step, *row) for step, row in enumerate(values.tolist()))
    return path


def _validate(lines: list[str], block: list[list[float]], every: int) -> None:
    """Put a validation loss into every so many lines of a block."""
    for place in range(0, len(lines), every):
        lines[place] = f'{lines[place][:-2]}, "eval_loss": {block[place][0] * 1.05:.9g}}}\n'


def write_events(path: Path, rows: int, metrics: int = 3, *, seed: int = 0) -> Path:
    """A TensorBoard event file with one scalar a record, checksums included."""
    from benchmarks.events import records, version_record

    values = curves(rows, metrics, seed).astype("<f4")
    with open(path, "wb") as file:
        file.write(version_record())
        for low in range(0, rows, _BLOCK):
            file.write(records(low, values[low : low + _BLOCK], NAMES[:metrics]))
    return path
