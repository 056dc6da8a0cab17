"""The two runs that are compared: dropout from the first step, and dropout from step 10,000."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from examples.handpose_dropout.train import Recipe, Training, config
from examples.logs import AimLog, TextLog, finish_repository, new_repository

RECIPES = {
    "fixed-dropout": Recipe(dropout_warmup_step=0, val_seed=None),
    "progressive-dropout": Recipe(dropout_warmup_step=10_000, val_seed=42),
}


def main(aim_folder: Path, text_folder: Path, steps: int | None = None) -> None:
    """Train both, each in a process of its own.

    Parameters
    ----------
    aim_folder : Path
        Gets an AIM repository with both runs.
    text_folder : Path
        Gets a text log of each run.
    steps : int, optional
        In place of the recipes' own number.
    """
    new_repository(aim_folder)
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(RECIPES), mp_context=context) as pool:
        jobs = [
            pool.submit(train, name, replace(r, steps=steps or r.steps), aim_folder, text_folder)
            for name, r in RECIPES.items()
        ]
        for job in jobs:
            job.result()
    finish_repository(aim_folder)


def train(name: str, recipe: Recipe, aim_folder: Path, text_folder: Path) -> None:
    """One training on one thread, logged to AIM and as text while it runs."""
    torch.set_num_threads(1)
    logs = (
        AimLog(aim_folder, name, config(recipe)),
        TextLog(text_folder / f"{name}.log", recipe.steps),
    )
    Training(recipe, logs).run()
    for log in logs:
        log.close()
