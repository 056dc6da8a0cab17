"""The files that W&B keeps beside its log: which log a folder holds, final values, settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

SUFFIX = ".wandb"
LARGEST = 16 << 20
"""Bytes of a summary that are looked at."""

_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(.+)")
_LOG = re.compile(r"run-(.+)\.wandb")
_OF_THE_RUN = ("files", "logs", "tmp")


def run_id(path: Path) -> str:
    """The id in the name of a run's folder or log, empty where none is."""
    match = _FOLDER.fullmatch(path.name) or _LOG.fullmatch(path.name)
    return match[1] if match else ""


def is_run_folder(path: Path) -> bool:
    """Whether a folder is named as W&B names those of its runs."""
    return _FOLDER.fullmatch(path.name) is not None


def logs(folder: Path) -> list[Path]:
    """The logs in a folder, the one that is named like the folder first.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    found = sorted(p for p in folder.iterdir() if p.suffix == SUFFIX and p.is_file())
    own = f"run-{run_id(folder)}{SUFFIX}"
    return sorted(found, key=lambda p: p.name != own)


def companions(log: Path) -> list[Path]:
    """Folders beside a log that belong to it."""
    folder = log.parent
    if not is_run_folder(folder):
        return []
    return [folder / name for name in _OF_THE_RUN if (folder / name).is_dir()]


def about(log: Path) -> tuple[Path, ...]:
    """Where the settings and the final values of the run of a log would lie."""
    files = log.parent / "files"
    return files / "config.yaml", files / "wandb-summary.json"


def config_file(log: Path) -> Path | None:
    """``config.yaml`` of the run of a log."""
    path = log.parent / "files" / "config.yaml"
    return path if is_run_folder(log.parent) and path.is_file() else None


def summary(log: Path) -> tuple[dict[str, Any], str]:
    """``wandb-summary.json`` of the run of a log, and why it could not be read, if so."""
    path = log.parent / "files" / "wandb-summary.json"
    if not is_run_folder(log.parent) or not path.is_file():
        return {}, ""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
        found = json.loads(data) if len(data) <= LARGEST else None
    except OSError as error:
        return {}, f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        found = None
    return (found, "") if isinstance(found, dict) else ({}, "no valid summary; not used")
