"""Two long trainings for ``sample_runs``: dropout from the first step, and from step 10,000."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from examples.handpose_dropout.data import Sizes
from examples.handpose_dropout.train import Hands, Training
from trainlens_torch.config import TrainingConfig

__all__ = ["FIRST", "RUNS", "config", "write_sample"]

FIRST = {"fixed-dropout": 0, "progressive-dropout": 10_000}
"""First step with dropout of each run, as its log counts."""
RUNS: dict[str, dict[str, Any]] = {
    "fixed-dropout": {"validation.seed": None},
    "progressive-dropout": {"validation.seed": 42},
}
"""What each run changes besides."""
_STEPS = 60_000
_SIZES = Sizes(train=1000, validation=400, test=0)


def config(name: str, steps: int | None = None) -> TrainingConfig:
    """The configuration of a sample run.

    Parameters
    ----------
    name : str
        One of `RUNS`.
    steps : int, optional
        Of the training; 60,000 by default.
    """
    steps = _STEPS if steps is None else steps
    own: dict[str, Any] = {
        "optimizer.lr": 1e-3,
        "schedule.total": steps,
        "schedule.warmup": min(1000, steps // 2),
        "clipping.norm": None,
        "dropout.target": 0.1,
        # The update that makes a step was begun after one update less.
        "dropout.start": max(FIRST[name] - 1, 0),
        "data.seed": 7,
        "data.workers": 0,
        "data.prefetch": 0,
        "validation.samples": 100,
        "validation.every_steps": min(3000, steps),
        "logging.every": 100,
        "logging.anomalies": "off",
    }
    return TrainingConfig().changed({**own, **RUNS[name]})


def write_sample(aim_folder: Path, text_folder: Path, steps: int | None = None) -> None:
    """Train both runs, each in a process of its own.

    Parameters
    ----------
    aim_folder : Path
        Gets an AIM repository with both runs, in place of one that is there: small, complete, and
        free of this machine's name and paths.
    text_folder : Path
        Gets ``fixed-dropout.log`` and ``progressive-dropout.log``.
    steps : int, optional
        Of each training; 60,000 by default.
    """
    shutil.rmtree(aim_folder / ".aim", ignore_errors=True)
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch:
        _new_repository(aim_folder)
        with ProcessPoolExecutor(len(RUNS), mp_context=context) as pool:
            folders = [Path(scratch) / name for name in RUNS]
            jobs = [pool.submit(_train, aim_folder, folder, steps) for folder in folders]
            for job in jobs:
                job.result()
        for folder in folders:
            shutil.copyfile(folder / "log.txt", text_folder / f"{folder.name}.log")
    _tidy(aim_folder)


def _train(repository: Path, folder: Path, steps: int | None) -> None:
    """One training on one thread; the name of its folder is that of the run."""
    torch.set_num_threads(1)
    own = config(folder.name, steps)
    training = Training(own, Hands.recorded(_SIZES))
    sinks = (f"aim:{repository}", "text")
    more = {"dropout_warmup_step": FIRST[folder.name]}
    with own.logger(folder, training.scheduler, sinks=sinks, config=more) as log:
        training.run(log)


def _new_repository(folder: Path) -> None:
    from aim.sdk.repo import Repo

    Repo.from_path(str(folder), init=True)


def _tidy(folder: Path) -> None:
    """Make a repository of closed runs small and complete, without what names this machine.

    Long runs leave many overlapping tables behind: compaction shrinks them to a tenth. Then all
    runs are indexed, and the database's own diary, which names paths, is dropped.
    """
    import aimrocks
    from aim.sdk.repo import Repo

    for store in sorted(folder.glob(".aim/*/chunks/*")):
        database = aimrocks.DB(str(store), aimrocks.Options(), read_only=False)
        database.compact_range()
        # Gone with its last reference; closing it by hand as well crashes the process.
        del database
    # Without an index the SDK shows closed runs as empty; its command line calls the same.
    Repo.from_path(str(folder))._recreate_index()
    for diary in folder.glob(".aim/**/LOG*"):
        diary.unlink()
    shutil.rmtree(folder / ".aim" / "check_ins", ignore_errors=True)
