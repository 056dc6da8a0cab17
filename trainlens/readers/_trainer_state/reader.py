"""Reads the states of a run; see `trainlens.readers.trainer_state`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._events import Events
from trainlens.readers._json.decode import Object
from trainlens.readers._json.records import Records
from trainlens.readers._trainer_state.folder import Signature, signature, state_files
from trainlens.readers._trainer_state.history import History, entry_keys, read_history
from trainlens.readers._values import number, whole

_PLACE = frozenset(
    {
        "epoch",
        "global_step",
        "is_hyper_param_search",
        "is_local_process_zero",
        "is_world_process_zero",
    }
)
"""Keys of a state that say where the training is, not how it was set up."""


class TrainerStateReader:
    """Reads the states of a run; `poll` again for what newer states have added.

    Parameters
    ----------
    path : Path
        An output folder, or one state.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = Records(whole_run=True)
        self._events = Events(path.name)
        self._given: list[bytes] = []
        self._seen: dict[Path, Signature | None] | None = None
        self._config: dict[str, Any] = {}
        self._told_gone = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound
            No state was ever there.
        Unreadable
            The only state cannot be opened.
        """
        found = state_files(self._path)
        seen = {path: signature(path) for path in found}
        notices: list[Notice] = []
        config: dict[str, Any] = {}
        if not found:
            notices += self._gone()
        elif final or seen != self._seen or not self._given:
            # A first state that stays torn from one poll to the next is nothing that comes yet.
            left = seen == self._seen and not self._given
            history = read_history(found, self._path, final or left)
            if history is not None and not self._waits(history, final):
                self._check(history)
                notices += [*self._take(history), *self._fewer(history)]
                notices += history.notices if final or not left else []
                config, self._config = self._changed(history), _config(history)
        self._seen = seen
        if final:
            notices += self._close()
        return Chunk(self._records.take(), config, tuple(notices))

    def _waits(self, history: History, final: bool) -> bool:
        """Whether a newer state is being written, and only an older one can be read."""
        return not final and not history.whole and len(history.entries) < len(self._given)

    def _check(self, history: History) -> None:
        refused = [n for n in history.notices if n.kind == "unreadable"]
        if refused and not history.entries and self._path.is_file():
            raise Unreadable(self._path, refused[0].message, "check the permissions")

    def _gone(self) -> list[Notice]:
        if self._seen is None:
            raise NotFound(self._path, "holds no trainer_state.json", "check the path")
        if self._told_gone:
            return []
        self._told_gone = True
        text = "the states are gone; what was read of them is kept"
        return [Notice("unreadable", self._path.name, text)]

    def _take(self, history: History) -> list[Notice]:
        """Give what is new; say so where the history is not the continued one."""
        keys = entry_keys(history.entries)
        given, self._given = self._given, keys
        same = len(given)
        if keys[:same] != given:
            same = next(
                (i for i, (a, b) in enumerate(zip(keys, given, strict=False)) if a != b),
                min(len(keys), len(given)),
            )
            self._records.restart()
        self._records.add([entry for entry in history.entries[same:] if not _is_summary(entry)])
        if same == len(given):
            return []
        text = "the history was written anew; what was read before is kept, as an attempt"
        return [Notice("replaced", self._path.name, f"{text}; it differs from entry {same + 1} on")]

    def _fewer(self, history: History) -> list[Notice]:
        """Say so where settings are gone, as in a state that is damaged by now."""
        if self._config.keys() <= _config(history).keys():
            return []
        text = "settings that were read before are gone; they are kept"
        return [Notice("replaced", self._path.name, text)]

    def _changed(self, history: History) -> dict[str, Any]:
        config = _config(history)
        return config if config != self._config else {}

    def _close(self) -> list[Notice]:
        notices = []
        if self._records.assumed:
            notices.append(Notice("assumed", self._path.name, self._records.assumed))
        if self._records.skipped:
            shown = ", ".join(f"{k} ({v})" for k, v in list(self._records.skipped.items())[:20])
            notices.append(Notice("skipped", self._path.name, f"no numbers in: {shown}"))
        for event in self._records.take_events():
            self._events.add(event.text, partial("entry {}".format, event.record), event.step)
        notices += self._events.take(final=True)
        if not self._records.count:
            notices.append(Notice("empty", self._path.name, "no log entries"))
        return notices


def _is_summary(entry: Object) -> bool:
    """Whether an entry holds the totals of a whole training."""
    return "train_runtime" in entry and "loss" not in entry


def _config(history: History) -> dict[str, Any]:
    """Settings of the newest state, the totals of the training, and what was planned."""
    config = {k: v for k, v in history.settings.items() if k not in _PLACE and v is not None}
    callbacks = config.pop("stateful_callbacks", None)
    if isinstance(callbacks, dict):
        # The flags of the control are those of one moment.
        kept = {k: v for k, v in callbacks.items() if k != "TrainerControl"}
        config |= {"stateful_callbacks": kept} if kept else {}
    config |= _totals(history.entries)
    steps, epochs = whole(config.get("max_steps")), number(config.get("num_train_epochs"))
    if steps and steps > 0:
        config["planned_steps"] = steps
    if epochs and 0 < epochs < 1e9:
        config["planned_epochs"] = int(epochs) if epochs.is_integer() else epochs
    return config


def _totals(entries: Sequence[Object]) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for entry in entries:
        if _is_summary(entry):
            totals |= {k: v for k, v in entry.items() if k not in ("step", "epoch")}
    if "train_loss" in totals:
        totals["train_loss_mean"] = totals.pop("train_loss")
    return totals
