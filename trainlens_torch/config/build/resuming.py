"""When a training is saved and given up, from where it goes on, and what of it is restored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.loop import Checkpointer, EarlyStopping, Resumed
from trainlens_torch.loop.folder import Folder
from trainlens_torch.randomness import RandomState

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

_OF_SCHEDULER = ("scheduler", "clock")


def resume_step(config: TrainingConfig, steps: Iterable[int]) -> int | None:
    """Of the steps of the checkpoints that there are, the one to go on from; None of none.

    Raises
    ------
    UsageError
        There is no checkpoint of that step, or none before it.
    """
    own, there = config.resume, sorted(steps)
    if own.step is not None:
        if own.step not in there:
            raise UsageError(f"resume.step {own.step}: there is no such checkpoint; {_are(there)}")
        return own.step
    if own.before_step is None:
        return there[-1] if there else None
    before = [step for step in there if step < own.before_step]
    if not before:
        raise UsageError(
            f"resume.before_step {own.before_step}: no checkpoint is older; {_are(there)}; "
            "train into the folder that holds them, or from the beginning with "
            "resume.before_step=none"
        )
    return before[-1]


def _are(steps: list[int]) -> str:
    told = ", ".join(str(step) for step in steps[-8:])
    return f"there are those of steps {told}" if steps else "there is none at all"


def restored(config: TrainingConfig, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Of the parts of a training, by name, those whose state is to be restored.

    All of them; without `full_state` the model alone and, where `scheduler` is on, scheduler and
    clock; without `scheduler` all but these.
    """
    own = config.resume
    return {
        name: part
        for name, part in parts.items()
        if name == "model" or (own.scheduler if name in _OF_SCHEDULER else own.full_state)
    }


def early_stop(config: TrainingConfig, clock: Clock | None, /, **more: Any) -> EarlyStopping | None:
    """When to give up; None where no patience is set."""
    own = config.early_stopping
    if own.patience is None:
        return None
    mode: Any = own.mode
    return EarlyStopping(own.patience, mode=mode, min_delta=own.min_delta, clock=clock, **more)


def watched(config: TrainingConfig, values: Mapping[str, float]) -> float:
    """The value by which is stopped, and which checkpoint is the best.

    Raises
    ------
    UsageError
        ``early_stopping.monitor`` is not among the values.
    """
    name = config.early_stopping.monitor
    if name not in values:
        raise UsageError(
            f"early_stopping.monitor {name!r} is not among {', '.join(values) or 'no values'}"
        )
    return values[name]


def checkpointer(
    config: TrainingConfig,
    folder: str | os.PathLike[str],
    parts: Mapping[str, Any],
    /,
    **more: Any,
) -> Checkpointer:
    """What saves a training and brings it back."""
    own = config.checkpoints
    given = {"keep": own.keep, "keep_best": own.keep_best, "mode": config.early_stopping.mode}
    return Checkpointer(Path(folder) / own.folder, parts, **{**given, **more})


def checkpoint_due(config: TrainingConfig, step: int) -> bool:
    """Whether it is time to save."""
    return step > 0 and step % config.checkpoints.every == 0


def resume_from(
    config: TrainingConfig, saver: Checkpointer, parts: Mapping[str, Any]
) -> Resumed | None:
    """Go on from the checkpoint that is asked for; None where nothing was saved yet."""
    there = {saved.step: saved.path for saved in Folder(saver.path).readable()}
    own = config.resume
    asked = own.step is not None or own.before_step is not None
    # Without a wish it is the newest, and one that is damaged is told.
    path = there[_chosen(config, there)] if asked else None
    chosen = restored(config, parts)
    before = {n: deepcopy(p.state_dict()) for n, p in parts.items() if n not in chosen}
    random = None if own.full_state else RandomState.now()
    found = saver.resume(path)
    for name, state in before.items():
        parts[name].load_state_dict(state)
    if random is not None:
        random.put_back()
    return found


def _chosen(config: TrainingConfig, steps: Iterable[int]) -> int:
    found = resume_step(config, steps)
    assert found is not None  # a wish that cannot be met has raised
    return found
