"""Hugging Face Trainer: trainer_state.json of an output folder and of its checkpoints.

A run is a folder with a ``trainer_state.json`` or with checkpoints that hold one. The state of
the highest ``global_step`` has the whole log history; where it is torn, its complete entries are
put together with those of an older checkpoint. Entries that only an older checkpoint has belong
to an attempt that was overwritten; they are left out, and a notice says so.

Keys of an entry become metrics under their own names (``eval_loss`` is of the split ``val``).
The entry at the end of a training (the one with ``train_runtime``) holds totals: its
``train_loss`` is the mean over the whole training and no point of the curve ``loss``. It goes to
the configuration, as ``train_loss_mean``, and so do its runtime and throughput.

The Trainer rounds losses to four digits, and by default (``logging_nan_inf_filter``) it leaves
NaN and infinite losses out of the mean that it logs: a loss of exactly 0.0 can stand for either.
There are no times in this format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._json.decode import Object
from trainlens.readers._json.records import Records
from trainlens.readers._trainer_state.folder import NAME, Signature, signature, state_files
from trainlens.readers._trainer_state.history import History, entry_keys, read_history
from trainlens.readers._trainer_state.state import HISTORY
from trainlens.readers._values import number, whole
from trainlens.readers.base import Inputs, Look, Source

FORMAT = "trainer-state"
FOLDERS = True
SUREST = 0.98

_KIN = tuple(
    f'"{key}"'.encode()
    for key in (
        "global_step",
        "epoch",
        "best_metric",
        "best_model_checkpoint",
        "is_world_process_zero",
        "is_local_process_zero",
        "is_hyper_param_search",
        "max_steps",
        "num_train_epochs",
        "total_flos",
    )
)
_LOOK_AT = 8
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


def sniff(path: Path | Look) -> float:
    """0.98 for a state, whatever its name, and for a folder that holds some; else 0."""
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look)
    if not any(name == NAME or "checkpoint" in name for name in look.entries):
        return 0.0
    return max((_confidence(Look(p)) for p in state_files(look.path)[:_LOOK_AT]), default=0.0)


def _confidence(look: Look) -> float:
    if not look.is_file:
        return 0.0
    data = look.head
    # The quick look spares the search in the many other files.
    if b'"log_history"' in data and _begins(data) and HISTORY.search(data):
        return 0.98 if _kin(data) >= 2 else 0.0
    # Its first bytes, or those where the history begins, may be damaged.
    return 0.98 if look.name == NAME and _kin(data) >= 4 else 0.0


def _begins(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _kin(data: bytes) -> int:
    return sum(key in data for key in _KIN)


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a state that stands alone."""
    return [Source(FORMAT, path)]


def files(source: Source) -> list[Path]:
    """Every state that the run covers."""
    return state_files(source.path)


def inputs(source: Source) -> Inputs:
    """Every state that the run covers; each is written anew, none grows."""
    return Inputs(tuple(state_files(source.path)))


def open_source(source: Source) -> TrainerStateReader:
    """A reader positioned at the beginning."""
    return TrainerStateReader(source.path)


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
        elif final or seen != self._seen:
            history = read_history(found, self._path, final)
            if history is not None and not self._waits(history, final):
                self._check(history)
                notices += [*self._take(history), *history.notices]
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
        return [Notice("assumed", self._path.name, f"{text}; it differs from entry {same + 1} on")]

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
