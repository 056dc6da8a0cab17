"""Where the trainings of this folder write: an AIM repository and a plain text log."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aimrocks
from aim.sdk.repo import Repo
from aim.sdk.run import Run


class AimLog:
    """One run of an AIM repository, written by the stock SDK.

    Parameters
    ----------
    folder : Path
        Holds the repository, ``.aim``, which must exist: see `new_repository`.
    name : str
    config : mapping
    """

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        # Nothing about this machine goes into the repository: no system metrics, no terminal.
        self._run = Run(
            repo=str(folder),
            experiment="handpose-dropout",
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        self._run.name = name
        self._run["hparams"] = dict(config)

    def log(self, step: int, values: Mapping[str, float], split: str = "train") -> None:
        """Track the values of one step in the context of a split."""
        # The dashboard's name for it; the text log says "dropout".
        names = {"dropout": "dropout_rate"}
        tracked = {names.get(name, name): value for name, value in values.items()}
        self._run.track(tracked, step=step, context={"subset": split})

    def close(self) -> None:
        """Write what is buffered and mark the run as ended."""
        self._run.close()


def new_repository(folder: Path) -> None:
    """Make an empty AIM repository in a folder, replacing one that is there."""
    shutil.rmtree(folder / ".aim", ignore_errors=True)
    Repo.from_path(str(folder), init=True)


def finish_repository(folder: Path) -> None:
    """Make a repository of closed runs small, complete and free of this machine's name and paths.

    Long runs leave many overlapping tables behind: compaction shrinks them to a tenth. Then all
    runs are indexed, and the database's own diary, which names paths, is dropped.
    """
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


class TextLog:
    """Lines such as ``3000/60000 lr=1.0000e-04 dropout=0.000 total=1.230 loss_theta=0.083``.

    Parameters
    ----------
    path : Path
    total : int
        Planned steps, the number behind the slash.
    """

    def __init__(self, path: Path, total: int) -> None:
        # Line-buffered, as a training script's own log file.
        self._file = open(path, "w", buffering=1, encoding="utf-8")  # noqa: SIM115 - closed below
        self._total = total

    def log(self, step: int, values: Mapping[str, float], split: str = "train") -> None:
        """Write one line; names of another split than ``train`` carry it in front."""
        front = "" if split == "train" else f"{split}_"
        pairs = (f"{front}{name}={_text(name, value)}" for name, value in values.items())
        self._file.write(f"{step}/{self._total} {' '.join(pairs)}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _text(name: str, value: float) -> str:
    return f"{value:.4e}" if name == "lr" else f"{value:.3f}"
