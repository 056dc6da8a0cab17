"""Writes the trainer_state.json of the Hugging Face Trainer, and says what it must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk

Entry = dict[str, Any]


def log(steps: int, every: int = 10, evaluate: int = 50) -> list[Entry]:
    """Entries of a training of `steps` steps."""
    entries: list[Entry] = []
    for step in range(every, steps + 1, every):
        epoch = step / 100
        entries.append({"epoch": epoch, "loss": 1 / step, "grad_norm": 0.5, "step": step})
        if step % evaluate == 0:
            entries.append({"epoch": epoch, "eval_loss": 2 / step, "step": step})
    return entries


def state(entries: list[Any], step: int | None = None, **settings: Any) -> bytes:
    """The file that the Trainer writes."""
    content = {
        "best_metric": None,
        "epoch": 1.0,
        "global_step": step if step is not None else entries[-1]["step"],
        "is_world_process_zero": True,
        "log_history": entries,
        "max_steps": 500,
        "num_train_epochs": 5,
        **settings,
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def points(*chunks: Chunk) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for chunk in chunks:
        for c in chunk.columns:
            found.setdefault(c.name, []).extend(zip(c.step.tolist(), c.value.tolist(), strict=True))
    return found


def expected(entries: list[Entry]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        if "train_runtime" in entry:
            continue
        for key, value in entry.items():
            if key not in ("step", "epoch"):
                found.setdefault(key, []).append((entry["step"], float(value)))
    return found
