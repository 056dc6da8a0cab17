"""Settings of data, memory, checkpoints and resuming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainlens_torch.config.setting import Section, span, switch, text, whole, word

__all__ = ["CheckpointSettings", "DataSettings", "MemorySettings", "ResumeSettings"]


@dataclass(frozen=True)
class DataSettings(Section):
    """How batches come; `train_loader`, `validation_loader` and others follow it."""

    title: ClassVar[str] = "data"

    sampler: str = word("random", "how batches are drawn", "random", "stratified", "own")
    seed: int = whole(0, "order of the data, and first weights", low=0, logged="seed")
    reshuffle: bool = switch(True, "another order in every epoch")
    drop_last: bool = switch(False, "leave out a last batch that is smaller")
    workers: int = whole(2, "processes that load data", low=0)
    prefetch: int = whole(2, "batches held ready", unit="batches", low=0)
    cache_mib: int = whole(0, "samples kept in memory", unit="MiB", low=0)
    skip_steps: tuple[int, int] | None = span(
        "first and last step whose batches are left out", unit="updates"
    )
    normalize: bool = switch(False, "inputs of mean 0 and standard deviation 1")
    sequence_length: int | None = whole(None, "longest input; the rest is cut off")


@dataclass(frozen=True)
class MemorySettings(Section):
    """What happens when memory runs out; `guard_for`, `adaptive_batch` and `clean_up` follow it."""

    title: ClassVar[str] = "memory"

    on_oom: str = word("raise", "what a batch that does not fit does", "raise", "skip", "split")
    adaptive_batch: bool = switch(False, "find the micro-batch that fits; the update stays as is")
    ceiling: int | None = whole(None, "largest micro-batch; batch.size without it", unit="samples")
    cleanup_every: int = whole(
        0, "updates between clean-ups of memory; 0: never", unit="updates", low=0
    )


@dataclass(frozen=True)
class CheckpointSettings(Section):
    """What is kept; `TrainingConfig.checkpointer` makes it."""

    title: ClassVar[str] = "checkpoints"

    folder: str = text("checkpoints", "where they lie, in the folder of the run")
    every: int = whole(1000, "updates between two", unit="updates")
    keep: int = whole(3, "newest that are kept")
    keep_best: int = whole(1, "best that are kept", low=0)


@dataclass(frozen=True)
class ResumeSettings(Section):
    """Where a training goes on; `resume_from` follows it."""

    title: ClassVar[str] = "resume"

    step: int | None = whole(None, "the checkpoint to use", low=0)
    before_step: int | None = whole(None, "the last checkpoint before this step", low=0)
    full_state: bool = switch(
        True, "restore optimizer, scaler, data position and random state with the weights"
    )
    scheduler: bool = switch(True, "restore the scheduler and its clock")
