"""A run of MLflow's file store: a folder of meta.yaml, metrics, params and tags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._columns import Columns
from trainlens.readers._mlflow.about import config_of, notices_of
from trainlens.readers._mlflow.lines import MetricFile
from trainlens.readers._yaml import read_yaml
from trainlens.readers.base import head

META = "meta.yaml"
PARTS = ("metrics", "params", "tags")

_RUN = re.compile(rb"^run_(?:id|uuid)\s*:", re.MULTILINE)
_OTHER = re.compile(rb"^(?:model_id|artifact_location|trace_id|request_id)\s*:", re.MULTILINE)
_LONGEST = 1 << 16
"""Bytes of a parameter or tag that are read; MLflow takes 8000 characters."""


def run_confidence(folder: Path) -> float:
    """Confidence in [0, 1] that a folder is a run.

    1 where meta.yaml names a run; 0.9 where it is damaged or gone, from the folders alone.
    """
    try:
        meta = head(folder / META)
    except OSError:
        meta = None
    if meta is not None and _RUN.search(meta):
        return 1.0
    if meta and _OTHER.search(meta):
        return 0.0  # an experiment, a logged model, a trace
    present = sum((folder / part).is_dir() for part in PARTS)
    return 0.9 if present == 3 or (meta is not None and present == 2) else 0.0


def values_below(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Names (``train/loss``) and entries of the files in a folder and its sub-folders."""
    waiting = [("", os.fspath(folder))]
    while waiting:
        above, place = waiting.pop()
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda e: e.name)
        except OSError:
            continue
        for entry in entries:
            # A store that was unpacked from Windows may have the separator in the name.
            name = above + entry.name.replace("\\", "/")
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", entry.path))
            elif entry.is_file():
                yield name, entry


class FileRun:
    """Reads a run of the file store; `poll` again for what was added since.

    Parameters
    ----------
    path : Path
        The folder of the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._metrics: dict[str, MetricFile] = {}
        self._columns = Columns()
        self._seen: object = None
        self._config: dict[str, Any] = {}
        self._told: set[str] = set()

    def poll(self, final: bool = False) -> Chunk:
        """Everything new in all files of the run.

        Raises
        ------
        NotFound
            The folder was never there.
        """
        if not self._path.is_dir():
            return Chunk(notices=tuple(self._gone()))
        notices = self._read_metrics(final)
        config: dict[str, Any] = {}
        seen = self._settings_seen()
        if final or seen != self._seen:
            self._seen = seen
            found, said = self._settings()
            config = found if found != self._config else {}
            self._config = found
            notices += said if final else []
        if final:
            notices += self._close()
        return Chunk(self._columns.take(), config, tuple(notices))

    def _gone(self) -> Iterator[Notice]:
        if self._seen is None:
            raise NotFound(self._path, "does not exist", "check the path")
        yield from self._once("", "the folder is gone; what was read of it is kept", 0)

    def _read_metrics(self, final: bool) -> list[Notice]:
        for name, entry in values_below(self._path / "metrics"):
            if name not in self._metrics:
                self._metrics[name] = MetricFile(Path(entry.path), name)
        notices: list[Notice] = []
        lost: list[str] = []
        for name, file in self._metrics.items():
            try:
                notices += file.poll(self._columns, final)
            except NotFound:
                gone = "the file is gone; what was read of it is kept"
                notices.append(Notice("replaced", f"metrics/{name}", gone))
                lost.append(name)
            except Unreadable as error:
                notices += self._once(name, f"cannot be read ({error.problem}); {error.remedy}")
        for name in lost:
            del self._metrics[name]
        return notices

    def _once(self, name: str, text: str, lost: int | None = None) -> list[Notice]:
        where = f"metrics/{name}" if name else self._path.name
        if where in self._told:
            return []
        self._told.add(where)
        return [Notice("unreadable", where, text, lost)]

    def _settings_seen(self) -> object:
        """What changes when a parameter, a tag or meta.yaml does."""
        entries = [e for part in PARTS[1:] for _, e in values_below(self._path / part)]
        try:
            meta = (self._path / META).stat()
            own = (meta.st_size, meta.st_mtime_ns)
        except OSError:
            own = (0, 0)
        return own, [(e.path, s.st_size, s.st_mtime_ns) for e in entries if (s := _stat(e))]

    def _settings(self) -> tuple[dict[str, Any], list[Notice]]:
        info, damage = read_yaml(self._path / META)
        notices = [damage] if damage else []
        if not (self._path / META).exists():
            notices.append(Notice("unreadable", META, "is missing; status and name are unknown"))
        params, tags = (self._values(part, notices) for part in PARTS[1:])
        info.setdefault("run_id", self._path.name)
        about, _ = read_yaml(self._path.parent / META)
        if about.get("experiment_id") is not None and "run_id" not in about:
            info["experiment"] = about.get("name")
        return config_of(params, tags, info), notices + notices_of(info, META)

    def _values(self, part: str, notices: list[Notice]) -> dict[str, str]:
        values = {}
        for name, entry in values_below(self._path / part):
            try:
                data = head(Path(entry.path), _LONGEST + 1)
            except OSError as error:
                text = f"cannot be read: {error.strerror or error}"
                notices.append(Notice("unreadable", f"{part}/{name}", text, None))
                continue
            if len(data) > _LONGEST:
                text = "a value of more than 64 KiB, cut there"
                notices.append(Notice("skipped", f"{part}/{name}", text))
            values[name] = data[:_LONGEST].decode("utf-8", "replace").rstrip("\r\n")
        return values

    def _close(self) -> list[Notice]:
        assumed = [name for name, file in self._metrics.items() if file.assumed]
        notices = []
        if assumed:
            shown = ", ".join(assumed[:10]) + (", ..." if len(assumed) > 10 else "")
            text = f"no steps in {shown}: the number of the line counts as step"
            notices.append(Notice("assumed", "metrics", text))
        if not self._metrics:
            notices.append(Notice("empty", self._path.name, "no metrics"))
        return notices


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None  # gone between listing and looking
