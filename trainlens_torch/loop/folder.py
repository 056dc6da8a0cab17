"""A folder of checkpoints, each of which is there whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlens.errors import NotFound, OutputError, SourceError
from trainlens_torch.loop.plain import Written

__all__ = ["DamagedCheckpoint", "Folder", "Saved"]

_SCHEMA = "trainlens.checkpoint/1"
_NAME = re.compile(r"save-(\d{6,})-step-(-?\d+)")
_FILE = re.compile(r"(shared|rank\d+)\.pt")
_MANIFEST = "manifest.json"
_HIDDEN = ".unfinished-"


class DamagedCheckpoint(SourceError):
    """A checkpoint is not what was written, or holds what must not be loaded."""


@dataclass(frozen=True)
class Saved:
    """One checkpoint, as its manifest tells it.

    Parameters
    ----------
    path : Path
        Its folder.
    number : int
        How many were saved before it: the order in time.
    step : int
    metric : float or None
    files : mapping of str to mapping
        Size and checksum of each.
    fingerprint : mapping
        What its parts were made with.
    """

    path: Path
    number: int
    step: int
    metric: float | None
    files: Mapping[str, Mapping[str, Any]]
    fingerprint: Mapping[str, Any]

    @property
    def ranks(self) -> int:
        """Ranks that saved it."""
        return len(self.files) - 1

    def check(self) -> None:
        """Compare every file with its size and checksum.

        Raises
        ------
        DamagedCheckpoint
        """
        for name, written in self.files.items():
            path = self.path / name
            try:
                size = path.stat().st_size
                fine = size == written["bytes"] and Written.of(path) == written
            except OSError as error:
                raise _damaged(self.path, f"{name}: {error.strerror or error}") from error
            if size != written["bytes"]:
                raise _damaged(self.path, f"{name} has {size} of {written['bytes']} bytes")
            if not fine:
                raise _damaged(self.path, f"{name} is not what was written (checksum)")


class Folder:
    """Checkpoints below one path.

    Each is a folder ``save-NUMBER-step-STEP`` with its files and a manifest, which is written
    last; it gets its name when all of it is on the disk, so that a process killed at any moment
    leaves the former ones as they were.

    Parameters
    ----------
    path : Path
        Made at the first save. One training at a time may write to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[Path]:
        """Finished checkpoints by their names, the newest first."""
        try:
            found = [p for p in self.path.iterdir() if _NAME.fullmatch(p.name)]
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda p: _number(p), reverse=True)

    def begin(self, step: int) -> Path:
        """An empty folder for the next checkpoint; what was left unfinished is cleared away."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for left in self.path.glob(f"{_HIDDEN}*"):
                shutil.rmtree(left)
            newest = self.names()
            number = _number(newest[0]) + 1 if newest else 0
            made = self.path / f"{_HIDDEN}save-{number:06d}-step-{step}"
            made.mkdir()
        except OSError as error:
            raise unwritable(self.path, error) from error
        return made

    def finish(
        self, made: Path, files: Mapping[str, Written], fingerprint: Mapping[str, Any], *,
        step: int, metric: float | None,
    ) -> Saved:  # fmt: skip
        """Give a checkpoint its manifest and its name.

        Raises
        ------
        OutputError
            The disk is full, or the folder is gone.
        """
        final = made.with_name(made.name.removeprefix(_HIDDEN))
        number = _number(final)
        told = {
            "schema": _SCHEMA, "number": number, "step": step, "metric": metric, "files": files,
            "fingerprint": fingerprint,
        }  # fmt: skip
        try:
            with (made / _MANIFEST).open("w", encoding="utf-8") as file:
                json.dump(told, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            _sync(made)
            made.rename(final)
            _sync(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        return Saved(final, number, step, metric, files, fingerprint)

    def give_up(self, made: Path) -> None:
        """Clear an unfinished checkpoint away, as far as that can be done."""
        shutil.rmtree(made, ignore_errors=True)

    def read(self, path: Path) -> Saved:
        """What the manifest of a checkpoint says.

        Raises
        ------
        DamagedCheckpoint
        """
        try:
            told = json.loads((path / _MANIFEST).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(path, f"{_MANIFEST} cannot be read ({type(error).__name__})") from error
        if not isinstance(told, dict) or told.get("schema") != _SCHEMA:
            raise _damaged(path, f"{_MANIFEST} is none of {_SCHEMA}")
        metric, files = told.get("metric"), told.get("files")
        fine = (
            isinstance(told.get("step"), int)
            and (metric is None or isinstance(metric, int | float))
            and isinstance(told.get("fingerprint"), dict)
            and isinstance(files, dict)
            and all(_FILE.fullmatch(name) and _written(one) for name, one in files.items())
            and "shared.pt" in files
        )
        if not fine:
            raise _damaged(path, f"{_MANIFEST} lacks entries of {_SCHEMA}")
        return Saved(path, _number(path), told["step"], metric, told["files"], told["fingerprint"])

    def named(self, path: Path) -> Path:
        """A checkpoint by its path, or by its name in this folder.

        Raises
        ------
        NotFound
        """
        for one in (self.path / path, path.expanduser().absolute()):
            if _NAME.fullmatch(one.name) and one.is_dir():
                return one
        raise NotFound(path, "there is no checkpoint", f"see what there is in {self.path}")

    def readable(self) -> list[Saved]:
        """Checkpoints whose manifest can be read, the newest first."""
        found = []
        for path in self.names():
            with contextlib.suppress(DamagedCheckpoint):
                found.append(self.read(path))
        return found

    def rotate(self, keep: int, keep_best: int, mode: str) -> None:
        """Remove all but the newest `keep` and the best `keep_best`.

        A checkpoint that cannot be read counts to neither, and is left to the user.
        """
        found = self.readable()
        kept = {saved.path for saved in [*found[:keep], *best(found, mode)[:keep_best]]}
        for saved in found:
            if saved.path not in kept:
                self._remove(saved.path)

    def _remove(self, path: Path) -> None:
        # Under another name first: half of a checkpoint must not look like one. What cannot be
        # removed is tried again at the next save.
        hidden = path.with_name(f"{_HIDDEN}{path.name}")
        with contextlib.suppress(OSError):
            path.rename(hidden)
            shutil.rmtree(hidden)


def best(found: list[Saved], mode: str) -> list[Saved]:
    """Those with a metric that is a number, the best first; of equals the newer one."""
    told = [s for s in found if s.metric is not None and math.isfinite(s.metric)]
    sign = 1.0 if mode == "min" else -1.0
    return sorted(told, key=lambda s: (sign * (s.metric or 0.0), -s.number))


def unwritable(path: Path, error: OSError) -> OutputError:
    """The error of a checkpoint that could not be written."""
    reason = error.strerror or str(error)
    return OutputError(
        path, f"the checkpoint cannot be written: {reason}", "the ones before it are still there"
    )


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _written(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("bytes"), int) and "sha256" in one


def _damaged(path: Path, problem: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(
        path, f"the checkpoint is damaged: {problem}", "resume(fallback=True) takes one before it"
    )


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk; Windows has no way to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
