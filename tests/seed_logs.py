"""Logs of a few trainings with seeds, two sides of which one is clearly better."""

import json

import numpy as np

SEEDS = 5


def write_sides(folder, seeds=SEEDS, sides=(("baseline", 0.1, 0.80), ("treated", 0.03, 0.90))):
    """``folder/SIDE/seed-N.jsonl``; a side is a name, its learning rate, and its accuracy."""
    rng = np.random.default_rng(3)
    for name, lr, level in sides:
        for seed in range(seeds):
            points = level - 0.5 * 2.0 ** (-np.arange(30) / 3) + rng.normal(0, 0.005, 30)
            header = {"schema": "trainlens.log/1", "run": f"{name} {seed}",
                      "config": {"optimizer": {"lr": lr}, "seed": seed}}  # fmt: skip
            rows = [{"step": 100 * (i + 1), "split": "val", "stats": {"accuracy": float(value)}}
                    for i, value in enumerate(points)]  # fmt: skip
            losses = 2.0 / np.arange(2, 62) + 1 - level + rng.normal(0, 0.01, 60)
            rows += [{"step": 10 * (i + 1), "losses": {"loss": float(value)}}
                     for i, value in enumerate(losses)]  # fmt: skip
            path = folder / name / f"seed-{seed}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(map(json.dumps, [header, *rows])) + "\n")
    return folder
