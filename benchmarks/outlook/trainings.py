"""Small real trainings under schedules that decay: a letter predictor on Python's own sources.

A multilayer perceptron sees eight letters and predicts the next, on a few modules of the standard
library: seconds a run on one core. Small training sets overfit; that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.outlook.synthetic import Case, Floats

if TYPE_CHECKING:
    import torch

SHAPES = ("cosine", "linear", "step", "stable", "constant")
MODULES = ("argparse", "ast", "datetime", "decimal", "difflib", "inspect", "tarfile", "typing")
STEPS, EVALUATIONS = 1200, 60


def rate(shape: str, share: Floats) -> Floats:
    """Factor of the learning rate at shares of the run."""
    if shape == "cosine":
        return np.asarray(0.5 + 0.5 * np.cos(np.pi * share))
    if shape == "linear":
        return 1.0 - share
    if shape == "step":
        return np.asarray(0.1 ** np.searchsorted([0.5, 0.75], share, "right"), np.float64)
    if shape == "stable":
        return np.minimum(1.0, (1.0 - share) / 0.2)
    return np.ones_like(share)


def letters() -> NDArray[np.int64]:
    """The corpus as numbers 0 to 95."""
    import importlib

    text = "".join(
        Path(str(importlib.import_module(name).__file__)).read_text("utf-8") for name in MODULES
    )
    raw = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64)
    return np.clip(raw - 31, 0, 95)


def case(seed: int, shape: str) -> Iterator[Case]:
    """One training: its validation loss, and its training loss."""
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    data = torch.from_numpy(letters())
    split = int(0.8 * len(data))
    size = split if rng.random() < 0.7 else int(10 ** rng.uniform(3.8, 4.6))
    width, batch = int(rng.choice([64, 128, 256])), int(rng.choice([32, 128]))
    peak = float(10 ** rng.uniform(-3.2, -1.8))
    model = torch.nn.Sequential(
        torch.nn.Embedding(96, 16), torch.nn.Flatten(), torch.nn.Linear(128, width),
        torch.nn.ReLU(), torch.nn.Linear(width, 96),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak)
    held = torch.from_numpy(rng.integers(split, len(data) - 9, int(rng.choice([500, 4000]))))
    factor = rate(shape, np.arange(STEPS) / STEPS)
    val, train = [], []
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = peak * float(factor[step])
        loss = _loss(model, data, torch.from_numpy(rng.integers(0, size - 9, batch)))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # of torch
        optimiser.step()
        if (step + 1) % (STEPS // EVALUATIONS) == 0:
            with torch.no_grad():
                val.append(float(_loss(model, data, held)))
            train.append(float(loss.detach()))
    place = np.arange(1.0, EVALUATIONS + 1) * (STEPS // EVALUATIONS)
    for kind, value in (("val", val), ("train", train)):
        yield Case(
            place, np.array(value), np.arange(1.0, STEPS + 1), peak * factor, 0.0, kind, shape
        )


def _loss(model: torch.nn.Module, data: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    import torch

    windows = data[at[:, None] + torch.arange(9)]
    return torch.nn.functional.cross_entropy(model(windows[:, :8]), windows[:, 8])


def cases(each: int, seed: int) -> Iterator[Case]:
    """Trainings of every schedule."""
    import torch

    torch.set_num_threads(1)
    for i in range(each):
        for k, shape in enumerate(SHAPES):
            yield from case(seed + 100 * i + k, shape)
