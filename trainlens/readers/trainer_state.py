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

Recognition
-----------
A JSON object with a ``log_history`` and two more keys of the Trainer, whatever its name; by its
name where its beginning is damaged. A folder with such a file, or with checkpoints that hold one.

Damage
------
Every complete entry of a torn or damaged state is kept; what only an older checkpoint still has
whole is taken from there. What is lost is counted.

Limits
------
See above: rounded losses, no times, and NaN that the Trainer hid. A state of more than 1 GiB is
passed over.

Examples
--------
>>> import json, trainlens
>>> from pathlib import Path
>>> state = {
...     "best_metric": None, "epoch": 1.0, "global_step": 20, "max_steps": 100,
...     "log_history": [
...         {"epoch": 0.5, "step": 10, "learning_rate": 5e-05, "loss": 2.3},
...         {"epoch": 1.0, "step": 20, "eval_loss": 2.2},
...         {"epoch": 1.0, "step": 20, "train_loss": 2.25, "train_runtime": 60.0},
...     ],
... }
>>> Path("output").mkdir()
>>> _ = Path("output/trainer_state.json").write_text(json.dumps(state))
>>> run = trainlens.load_one("output")
>>> print(run.frame()[["metric", "split", "step", "epoch", "value"]].to_string(index=False))
       metric split  step  epoch   value
learning_rate train    10    0.5 0.00005
         loss train    10    0.5 2.30000
         loss   val    20    1.0 2.20000
>>> run.config["train_loss_mean"], run.config["planned_steps"]
(2.25, 100)
"""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import Inputs, Look, Reader, Source

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
_NAME = "trainer_state.json"


def sniff(path: Path | Look) -> float:
    """0.98 for a state, whatever its name, and for a folder that holds some; else 0."""
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look)
    if not any(name == _NAME or "checkpoint" in name for name in look.entries):
        return 0.0
    from trainlens.readers._trainer_state.folder import state_files

    return max((_confidence(Look(p)) for p in state_files(look.path)[:_LOOK_AT]), default=0.0)


def _confidence(look: Look) -> float:
    if not look.is_file:
        return 0.0
    data = look.head
    # The quick look spares the search in the many other files.
    if b'"log_history"' in data and _begins(data):
        from trainlens.readers._trainer_state.state import HISTORY

        if HISTORY.search(data):
            return 0.98 if _kin(data) >= 2 else 0.0
    # Its first bytes, or those where the history begins, may be damaged.
    return 0.98 if look.name == _NAME and _kin(data) >= 4 else 0.0


def _begins(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _kin(data: bytes) -> int:
    return sum(key in data for key in _KIN)


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a state that stands alone."""
    return [Source(FORMAT, path)]


def files(source: Source) -> list[Path]:
    """Every state that the run covers."""
    from trainlens.readers._trainer_state.folder import state_files

    return state_files(source.path)


def inputs(source: Source) -> Inputs:
    """Every state that the run covers; each is written anew, none grows."""
    from trainlens.readers._trainer_state.folder import state_files

    return Inputs(tuple(state_files(source.path)))


def open_source(source: Source) -> Reader:
    """A reader positioned at the beginning."""
    from trainlens.readers._trainer_state.reader import TrainerStateReader

    return TrainerStateReader(source.path)
