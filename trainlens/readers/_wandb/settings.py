"""What a run was started with: its configuration, and what W&B knows about it."""

from __future__ import annotations

import copy
from typing import Any

from trainlens.readers._tfevents.wire import BYTES
from trainlens.readers._wandb.record import Path, decoded, items, removed, seconds
from trainlens.readers._wandb.wire import fields, text

_INTERNAL = frozenset({"_wandb", "wandb_version"})
_DEEP = 32
_ABOUT = {1: "id", 3: "project", 6: "group", 7: "job_type", 8: "name", 9: "notes", 12: "sweep"}
_CONFIG, _TAGS, _HOST, _START, _GIT = 4, 10, 13, 17, 21


class Settings:
    """Configuration under construction.

    Attributes
    ----------
    config : dict
        As it stands now.
    about : dict
        Identity of the run: id, project, name, group, tags, git commit.
    start_time : float or None
        Unix seconds.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        self.start_time: float | None = None
        self._changed: set[str] = set()
        self._told: set[str] = set()
        self._told_about: dict[str, Any] = {}

    def add_run(self, data: bytes, at: int, end: int) -> None:
        """Take in a RunRecord."""
        tags = []
        for number, wire, a, b in fields(data, at, end):
            if wire != BYTES:
                continue
            if number in _ABOUT:
                self.about[_ABOUT[number]] = text(data, a, b)
            elif number == _TAGS:
                tags.append(text(data, a, b))
            elif number == _HOST:
                self.about["host"] = text(data, a, b)
            elif number == _START:
                self.start_time = seconds(data, a, b)
            elif number == _GIT:
                self._add_git(data, a, b)
            elif number == _CONFIG:
                self.add(data, a, b)
        if tags:
            self.about["tags"] = tags

    def _add_git(self, data: bytes, at: int, end: int) -> None:
        said = {n: text(data, a, b) for n, wire, a, b in fields(data, at, end) if wire == BYTES}
        if 2 in said:
            self.about["git_commit"] = said[2]

    def add(self, data: bytes, at: int, end: int) -> None:
        """Take in a ConfigRecord."""
        found = fields(data, at, end)
        for path, raw in list(items(data, found)):
            if path and path[0] not in _INTERNAL and len(path) <= _DEEP:
                self._put(path, decoded(raw))
        for path in removed(data, found):
            if path and path[0] in self.config:
                self._drop(path)

    def _put(self, path: Path, value: Any) -> None:
        node = self.config
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[path[-1]] = value
        self._changed.add(path[0])

    def _drop(self, path: Path) -> None:
        node: Any = self.config
        for name in path[:-1]:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(path[-1], None)
            self._changed.add(path[0])

    def adopt(self, wrapped: dict[str, Any]) -> None:
        """Take in a ``config.yaml``, where each value stands beside its description."""
        for name, entry in wrapped.items():
            if name not in _INTERNAL:
                unwrap = isinstance(entry, dict) and "value" in entry and entry.keys() <= _WRAPPER
                self._put((name,), entry["value"] if unwrap else entry)

    def take(self) -> dict[str, Any]:
        """The settings that changed since the last call; a key that was dropped is None."""
        known = self._changed & (self.config.keys() | self._told)
        config = {k: copy.deepcopy(self.config.get(k)) for k in sorted(known)}
        self._told |= known
        self._changed = set()
        about = {k: v for k, v in self.about.items() if v}
        if about != self._told_about:
            self._told_about = about
            config["wandb" if "wandb" not in self.config else "wandb_run"] = dict(about)
        return config


_WRAPPER = {"desc", "value"}
